import { createServer } from 'node:http'

const { HOST = '127.0.0.1', PORT = '8080', RELEASE_VERSION: version = 'unreleased' } = process.env

const server = createServer((request, response) => {
  const answer = request.url === '/health' ? { ok: true, version } : { hello: 'world', version }
  response.setHeader('content-type', 'application/json').end(`${JSON.stringify(answer)}\n`)
})

server.listen(Number(PORT), HOST)

process.on('SIGTERM', () => server.close())
