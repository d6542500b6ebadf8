/**
 * Chooses how a plan's commands are started: directly, or through a process that forks for the runner.
 *
 * A runner's own `fork` stops it for about a millisecond, and for longer the more memory it has. So after the first
 * few commands a server is started beside them, and takes over as soon as it says that it is ready. Where there is
 * none, or none any more, programs are started directly, which only costs time.
 */
import { launchDirectly } from './direct-launch.ts'
import { type ForkServer, startForkServer } from './fork-server.ts'
import type { Launch } from './launch.ts'

/** A run of fewer commands would not earn back what the start of a server costs. */
const few = 8

/** Starts each program in the quickest way that is there at that moment. */
export function launchQuickly(): Launch {
  let started = 0
  let server: ForkServer | null = null
  return start => {
    started += 1
    if (started === few && start.children !== null) server = startForkServer(start.children.run)
    return server?.takes(start) ? server.launch(start) : launchDirectly(start)
  }
}
