/** Signals by their numbers, which differ between systems. */
import { constants } from 'node:os'

/** Of two names for one signal the first is the usual one, so that it is put in last. */
const names = new Map(
  Object.entries(constants.signals)
    .reverse()
    .map(([name, number]) => [number, name]),
)

/** The name by which node calls a signal; real-time signals have none. */
export const signalName = (number: number): string => names.get(number) ?? `signal ${number}`
