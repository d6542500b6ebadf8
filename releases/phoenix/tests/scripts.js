/** The release's own tools: that each check can fail, and that what they keep stays whole. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { auditManifest } from '../scripts/audit-rules.js'
import { components, filesOf, folderOf, phoenix, versions } from '../scripts/components.js'
import { Lost, Wrong, walk } from '../scripts/journey.js'
import { secretOf } from '../scripts/keys.js'
import { currentRelease, recordRelease, takeBack } from '../scripts/record.js'
import { rules, scanSource } from '../scripts/scan-rules.js'

let home
before(() => {
  home = mkdtempSync(join(tmpdir(), 'phoenix-'))
  process.env.TECHCORP_HOME = home
})
after(() => rmSync(home, { recursive: true }))

test('every service carries the kit of its version unchanged', () => {
  for (const version of versions) {
    const kit = readFileSync(join(phoenix, 'kit', `${version}.js`), 'utf8')
    for (const component of components)
      assert.equal(readFileSync(join(folderOf(component, version), 'kit.js'), 'utf8'), kit, component)
  }
})

describe('the security scan', () => {
  // Put together here, so that no scanner of ours or others finds them in this file.
  const key = ['AK', 'IAIOSFODNN7EXAMPLE'].join('')
  const cases = [
    ['const a = `-----BEGIN RSA PRIVATE KEY-----`', ['private-key']],
    [`send('${key}')`, ['cloud-key']],
    ["const dbPassword = 'hunter2hunter2'", ['named-secret']],
    ["headers({ api_key: 'k1234567' })", ['named-secret']],
    ["const { PASSWORD = '' } = process.env", []],
    ["sign('fJ3kQ9zXv7Lw2Rt8Yb5Nc1Md6Hg4Ps0A')", ['likely-secret']],
    ["say('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')", []],
    ['eval(body)', ['code-from-text']],
    ["new Function('return 1')", ['code-from-text']],
    ["import { exec } from 'node:child_process'", ['foreign-module']],
    ["import fs from 'fs'", ['foreign-module']],
    ["import x from '../../payment-service/server.js'", ['foreign-module']],
    ["const x = await import('left-pad')", ['foreign-module']],
    ["import { serve } from './kit.js'", []],
    ['await import(name)', ['computed-import']],
    ['server.listen(8080)', ['open-listener']],
    ["server.listen(8080, '0.0.0.0')", ['open-listener', 'every-interface']],
    ['server.listen(PORT, HOST, ready)', []],
    ["fetch('http://payments.internal/x')", ['fixed-address']],
    [['fetch(`http://$', '{gateway}/x`)'].join(''), []],
    ['agent({ rejectUnauthorized: false })', ['unchecked-certificate']],
    ['// eval(body)\n/* new Function() */', []],
    ["const url = 'x' // eval(body)", []],
    ["const a = '/*'; eval(a) // '*/'", ['code-from-text']],
  ]
  for (const [source, found] of cases)
    test(JSON.stringify(source), () => {
      assert.deepEqual(
        scanSource(source).map(({ rule }) => rule),
        found,
      )
    })

  test('every rule finds something in these cases', () => {
    const found = new Set(cases.flatMap(([, names]) => names))
    assert.deepEqual([...found].sort(), rules.map(({ name }) => name).sort())
  })

  test('a finding says where it is', () => {
    const [finding] = scanSource('/* one\n two */\n  eval(x)')
    assert.deepEqual([finding.line, finding.column], [3, 3])
  })

  test('neither version has a finding', () => {
    for (const version of versions)
      for (const file of components.flatMap(component => filesOf(folderOf(component, version))))
        if (file.endsWith('.js')) assert.deepEqual(scanSource(readFileSync(file, 'utf8')), [], file)
  })
})

describe('the dependency audit', () => {
  const good = {
    name: 'a',
    version: '1.0.0',
    private: true,
    scripts: { start: 'node .' },
    engines: { node: '>=24' },
  }
  const cases = [
    [{}, 0],
    [{ dependencies: { b: '1.2.3' } }, 0],
    [{ dependencies: { b: '^1.2.3' }, devDependencies: { c: '*' } }, 2],
    [{ optionalDependencies: { b: 'github:b/b' } }, 1],
    [{ version: '1.0.1' }, 1],
    [{ name: 'b' }, 1],
    [{ private: false }, 1],
    [{ scripts: { start: 'node .', postinstall: 'node steal.js' } }, 1],
    [{ scripts: {}, engines: {} }, 2],
  ]
  for (const [more, problems] of cases)
    test(JSON.stringify(more), () => {
      assert.equal(auditManifest({ ...good, ...more }, join('a', '1.0.0')).length, problems)
    })
})

test('a secret is made once, for its owner only', () => {
  assert.equal(secretOf('signing-key'), secretOf('signing-key'))
  assert.notEqual(secretOf('signing-key'), secretOf('synthetic-password'))
  assert.equal(statSync(join(home, 'signing-key')).mode & 0o777, 0o600)
  assert.throws(() => secretOf('../elsewhere'), /there is no secret/)
})

/** Answers every request as told, until the test ends; resolves to the address. */
const answering = async (context, answer) => {
  const server = createServer((incoming, outgoing) => {
    const { status = 200, body } = answer(incoming.url)
    outgoing.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  context.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${server.address().port}`
}

test('the record says what really runs, and goes back to what was there before', async t => {
  let live = '2.9.0'
  const address = await answering(t, () => ({ body: { version: live } }))
  const places = [{ name: 'production', gateway: address, components }]
  const first = await recordRelease('2.9.0', places)
  assert.deepEqual([first.changed, first.previous], [true, null])
  assert.equal((await recordRelease('2.9.0', places)).changed, false)

  await assert.rejects(recordRelease('3.0.0', places), /not 3.0.0 in production: auth-service 2.9.0/)
  live = '3.0.0'
  assert.equal((await recordRelease('3.0.0', places)).previous.version, '2.9.0')
  assert.equal(takeBack('2.9.0').version, '3.0.0', 'another version is not ours to take back')
  assert.equal(takeBack('3.0.0').version, '2.9.0')
  assert.equal(takeBack('3.0.0').version, '2.9.0')
  assert.equal(takeBack('2.9.0') ?? null, null)
  assert.equal(currentRelease(), null)
})

test('a journey tells an answer that is wrong from one that is lost', async t => {
  const unwell = await answering(t, () => ({ status: 503, body: { error: 'unwell' } }))
  await assert.rejects(walk({ gateway: unwell, password: '' }), Wrong)
  const thief = await answering(t, () => ({ body: { token: 't', user: 'somebody else' } }))
  await assert.rejects(walk({ gateway: thief, password: '' }), /takes synthetic for somebody else/)
  await assert.rejects(walk({ gateway: 'http://127.0.0.1:9', password: '' }), Lost)
})
