/** A first deployment has no traffic to divide, and is rolled out; what is wrong with its strategy is said all the same. */
import { describe, expect, test } from 'vitest'
import { canary, environment, haproxy, latency, local, release, service } from '../../src/index.ts'
import { compileIt, sha256 } from './compile-rig.ts'

const one = service('one')
const proxied = environment('proxied', { on: local({ router: haproxy() }) })
const deployed = (...steps: readonly number[]) =>
  release('r', { version: '1.0.0', components: [one] }).stage('s', s =>
    s.deploy([one], {
      to: proxied,
      with: canary({ steps, every: '1m', analysis: [latency('p95').below('500ms')] }),
    }),
  )

const runs = (version: string) => ({ live: { proxied: { one: { version, digest: sha256(version) } } } })

describe('a strategy that cannot work', () => {
  test('is refused where nothing runs yet as where something does', () => {
    const first = compileIt(deployed(50, 100))
    const second = compileIt(deployed(50, 100), runs('0.9.0'))
    expect(first.diagnostics.map(({ code }) => code)).toEqual(['router-cannot-measure'])
    expect(first.diagnostics).toEqual(second.diagnostics)
    expect(first.plan).toBeNull()
  })
})

test('one that can is rolled out, and leaves no trace in the plan', () => {
  const able = release('r', { version: '1.0.0', components: [one] }).stage('s', s =>
    s.deploy([one], { to: environment('production', { on: local() }), with: canary() }),
  )
  const { plan } = compileIt(able)
  expect(plan!.nodes.map(({ operation }) => operation.kind)).toEqual(['prepare', 'replace', 'verify'])
  expect(plan!.facts.live).toEqual({ production: { one: null } })
})
