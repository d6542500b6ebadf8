import { InputError } from '../../src/errors.ts'
import { type Command, nearest, wrong } from './command.ts'
import { print } from './io.ts'

/** `release local status|stop`: what runs on the local platform of this machine, of whichever checkout. */
export const local: Command = {
  name: 'local',
  usage: 'status|stop',
  summary: 'Shows what runs on the local platform of this machine, or drains and stops it.',
  example: 'release local stop --environment staging',
  options: {
    cluster: { value: 'NAME', help: 'stop: only this cluster' },
    environment: { value: 'NAME', help: 'stop: only this environment' },
  },
  takes: [1, 1],
  run: async (invocation, io) => {
    const [what] = invocation.args
    const { localHome } = await import('../adapters/platforms/local/home.ts')
    const home = localHome(io.env)
    if (what === 'status') {
      const { localStatus, renderLocalStatus } = await import('../adapters/platforms/local/status.ts')
      const found = await localStatus(home)
      print(io, { json: found, text: renderLocalStatus(found) })
      return 0
    }
    if (what === 'stop') {
      const { localStop, renderStopped } = await import('../adapters/platforms/local/stop.ts')
      const cluster = invocation.text('cluster')
      const environment = invocation.text('environment')
      const { routerKinds } = await import('../wire.ts')
      const stopped = await localStop(home, {
        routers: await routerKinds(),
        ...(cluster === undefined ? {} : { cluster }),
        ...(environment === undefined ? {} : { environment }),
      })
      print(io, { json: stopped, text: renderStopped(stopped) })
      return 0
    }
    throw new InputError([
      wrong(
        'arguments',
        `release local ${what}: it takes status or stop`,
        nearest(what!, ['status', 'stop']),
      ),
    ])
  },
}
