/**
 * The components as real processes behind a small router, for the tests of the services themselves.
 *
 * Boundary: the router only takes turns; what a gateway does about failures is not tried here, so that every
 * error of a service shows.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { request as ask, createServer } from 'node:http'
import { createInterface } from 'node:readline'
import { components, folderOf } from '../scripts/components.js'

process.setMaxListeners(50)

export const password = 'correct horse battery staple'

/** Starts one instance; `{component, version, port, process, stop}` once it listens. */
export const startInstance = async (component, version, env = {}) => {
  const child = spawn(process.execPath, ['server.js'], {
    cwd: folderOf(component, version),
    env: { ...process.env, TECHCORP_KEY: 'a key of the tests', SYNTHETIC_PASSWORD: password, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  // A test that throws before it stops its instances must not leave them behind.
  process.once('exit', () => child.kill('SIGKILL'))
  const [line] = await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    exited.then(([code]) => Promise.reject(new Error(`${component} ${version} ended with ${code}`))),
  ])
  const port = Number(/:(\d+)$/.exec(line)[1])
  const stop = async () => {
    child.kill('SIGTERM')
    const [code] = await exited
    return code
  }
  return { component, version, port, process: child, stop }
}

/** 0 1 1 0 1 0 0 1 …: never in step with a customer who comes back every second or third turn. */
const thueMorse = turn => turn.toString(2).replaceAll('0', '').length

const startRouter = async routes => {
  const turns = new Map()
  const next = component => {
    const turn = turns.get(component) ?? 0
    turns.set(component, turn + 1)
    const instances = routes.get(component)
    return instances[thueMorse(turn) % instances.length]
  }
  const server = createServer((incoming, outgoing) => {
    const [, component, rest] = /^\/([^/]+)(\/.*)$/.exec(incoming.url)
    const { method, headers } = incoming
    const onward = ask(
      { host: '127.0.0.1', port: next(component).port, path: rest, method, headers },
      answer => {
        outgoing.writeHead(answer.statusCode, answer.headers)
        answer.pipe(outgoing)
      },
    )
    onward.on('error', error => outgoing.destroy(error))
    incoming.pipe(onward)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

/**
 * Starts every component at each of the versions, behind one gateway that takes turns among them.
 * `{gateway, instances, stop}`; `stop` resolves to the instances' exit codes.
 */
export const startFleet = async (versions, env = {}) => {
  const routes = new Map()
  const router = await startRouter(routes)
  const gateway = `http://127.0.0.1:${router.address().port}`
  const wanted = components.flatMap(component => versions.map(version => [component, version]))
  const instances = await Promise.all(
    wanted.map(([component, version]) =>
      startInstance(component, version, { ...env, RELEASE_GATEWAY: gateway }),
    ),
  )
  for (const component of components)
    routes.set(
      component,
      instances.filter(instance => instance.component === component),
    )
  const stop = async () => {
    const codes = await Promise.all(instances.map(instance => instance.stop()))
    router.close()
    router.closeAllConnections()
    return codes
  }
  return { gateway, instances, stop }
}
