/** Whose word counts, when, and once: by the command line, and past it straight into a run's inbox. */
import { afterEach, describe, expect, test, vi } from 'vitest'
import { decisionFor, keyOf, personOf, signedBy, smuggle, unsigned, writeApprovers } from '../rig/people.ts'
import { createProject, type Exit, type TestProject } from '../rig/project.ts'
import { until } from '../rig/wait.ts'

// Many whole processes each: a busy machine takes its time, and only what hangs comes to this.
vi.setConfig({ testTimeout: 180_000 })

const open: TestProject[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map(project => project.dispose()))
})

interface Guarded {
  readonly approvers?: boolean
  readonly from?: string
  readonly options?: string
}

const definition = ({
  approvers = true,
  from = `{ 'release-manager': 1, 'platform-owner': 1 }`,
  options = '',
}: Guarded): string => `
import { release } from 'release-as-code'
export default release('guarded', { version: '1.0.0'${approvers ? `, approvers: 'approvers'` : ''} })
  .stage('go', s => s.approval('go live', { from: ${from}${options} }))
  .stage('then', s => s.step('done', () => 'done', { idempotent: true, undo: 'not-needed' }))
  .onFailure('stop')
`

/** dave starts runs; eve is nobody. */
const guarded = (options: Guarded = {}): TestProject => {
  const project = createProject({
    files: { 'release.config.ts': definition(options) },
    env: { RELEASE_USER: personOf('dave'), SSH_AUTH_SOCK: '' },
  })
  open.push(project)
  if (options.approvers !== false) {
    writeApprovers(project, {
      alice: ['release-manager'],
      bob: ['platform-owner'],
      carol: ['release-manager', 'platform-owner'],
      dave: ['release-manager', 'platform-owner'],
    })
  }
  return project
}

const waitingRun = async (project: TestProject): Promise<string> => {
  const { code, run, stderr } = await project.release(['run'])
  expect(code, stderr).toBe(3)
  return run
}

const approve = (project: TestProject, run: string, name: string, role: string): Promise<Exit> =>
  project.release(['approve', run, 'go live', '--as', role, '--key', keyOf(project, name)])

const refusal = ({ code, stdout, stderr }: Exit): string => {
  expect(stdout).toBe('')
  return `${code}: ${stderr.split('\n')[0]}`
}

const given = async (project: TestProject, run: string): Promise<readonly string[]> =>
  (await project.eventsOf(run, 'approval-given')).map(({ person, role }) => `${person} as ${role}`)

const refused = async (project: TestProject, run: string): Promise<readonly string[]> =>
  (await project.eventsOf(run, 'approval-refused')).map(({ person, reason }) => `${person}: ${reason}`)

describe('release approve', () => {
  test('two people of two roles approve a run that has left; then it goes on, and verify names them', async () => {
    const project = guarded()
    const run = await waitingRun(project)
    const alice = await approve(project, run, 'alice', 'release-manager')
    expect(alice).toMatchObject({
      code: 0,
      stdout: `approved: go/go live of ${run}; it counts when the run goes on: release resume ${run}\n`,
    })
    expect((await approve(project, run, 'bob', 'platform-owner')).code).toBe(0)
    const resumed = await project.release(['resume', run])
    expect(resumed.code, resumed.stderr).toBe(0)
    expect(await given(project, run)).toEqual([
      `${personOf('alice')} as release-manager`,
      `${personOf('bob')} as platform-owner`,
    ])
    const verified = await project.release(['verify', run])
    expect(verified.code).toBe(0)
    expect(verified.stdout).toContain(`go/go live: signed by ${personOf('alice')}\n`)
    expect(refusal(await approve(project, run, 'carol', 'release-manager'))).toMatchInlineSnapshot(
      `"1: error[approval-refused]: The approval "go live" is not waiting for anybody: it has not been reached, or it is decided."`,
    )
  })

  test('a run that waits goes on the moment that the last of them has approved', async () => {
    const project = guarded()
    const running = project.start(['run', '--wait', 'forever'])
    const run = await until('the approval is asked for', async () => {
      const id = project.runs()[0]
      return id !== undefined && (await project.eventsOf(id, 'node-waiting')).length > 0 ? id : null
    })
    const alice = await approve(project, run, 'alice', 'release-manager')
    expect(alice).toMatchObject({ code: 0, stdout: `approved: go/go live of ${run}\n` })
    // The runner stands by it meanwhile: nobody else can take the run.
    expect(await project.release(['resume', run])).toMatchObject({ code: 4 })
    const bob = await approve(project, run, 'bob', 'platform-owner')
    expect(bob).toMatchObject({ code: 0, stdout: `approved: go/go live of ${run}\n` })
    expect(await running.exit).toMatchObject({ code: 0, run })
  })

  test('refuses who may not, and says why', async () => {
    const project = guarded()
    const run = await waitingRun(project)
    const said = {
      'wrong role': refusal(await approve(project, run, 'alice', 'platform-owner')),
      'no such role': refusal(await approve(project, run, 'alice', 'chief')),
      'own run': refusal(await approve(project, run, 'dave', 'release-manager')),
      'unknown person': refusal(await approve(project, run, 'eve', 'release-manager')),
      'key of another': refusal(
        await project.release([
          'approve', run, 'go live', '--as', 'release-manager', '--key', keyOf(project, 'bob'), '--person', personOf('alice'),
        ]), // biome-ignore format: a command
      ),
      'no such approval': refusal(await project.release(['approve', run, 'go home'])),
      'no such key': refusal(
        await project.release(['approve', run, 'go live', '--key', `${project.root}/keys/nobody`]),
      ),
    }
    const plain = JSON.stringify(said, null, 2).replaceAll(project.root, '<root>').replaceAll(run, '<run>')
    expect(plain).toMatchInlineSnapshot(`
      "{
        "wrong role": "1: error[approval-refused]: alice@techcorp.example does not have the role \\"platform-owner\\", but \\"release-manager\\".",
        "no such role": "1: error[approval-refused]: The approval \\"go live\\" asks for \\"release-manager\\", \\"platform-owner\\", not for \\"chief\\".",
        "own run": "1: error[approval-refused]: dave@techcorp.example started this run and cannot approve it; somebody else has to.",
        "unknown person": "2: error[no-key]: the key <root>/keys/eve does not belong to an approver of this release",
        "key of another": "2: error[no-key]: the key <root>/keys/bob does not belong to alice@techcorp.example",
        "no such approval": "2: error[no-approval]: the run <run> has no approval \\"go home\\"",
        "no such key": "2: error[no-such-key]: there is no key at <root>/keys/nobody"
      }"
    `)
    expect(await given(project, run)).toEqual([])
  })

  test('counts a person once, in whatever role, whether or not the run has taken the first word up', async () => {
    const project = guarded()
    const run = await waitingRun(project)
    expect((await approve(project, run, 'carol', 'release-manager')).code).toBe(0)
    expect((await project.release(['resume', run])).code).toBe(3)
    expect(refusal(await approve(project, run, 'carol', 'release-manager'))).toMatchInlineSnapshot(
      `"1: error[approval-refused]: carol@techcorp.example has approved already, as release-manager; one person counts once."`,
    )
    expect(refusal(await approve(project, run, 'carol', 'platform-owner'))).toMatchInlineSnapshot(
      `"1: error[approval-refused]: carol@techcorp.example has approved already, as release-manager; one person counts once."`,
    )
    expect(refusal(await approve(project, run, 'alice', 'release-manager'))).toMatchInlineSnapshot(
      `"1: error[approval-refused]: Nobody is missing as "release-manager": 1 of 1 have approved."`,
    )
    expect(await given(project, run)).toEqual([`${personOf('carol')} as release-manager`])
  })

  test('two words of one person that nobody has read yet: the runner takes the first and refuses the second', async () => {
    const project = guarded()
    const run = await waitingRun(project)
    expect((await approve(project, run, 'carol', 'release-manager')).code).toBe(0)
    expect((await approve(project, run, 'carol', 'platform-owner')).code).toBe(0)
    expect((await project.release(['resume', run])).code).toBe(3)
    expect(await given(project, run)).toEqual([`${personOf('carol')} as release-manager`])
    expect(await refused(project, run)).toEqual([
      `${personOf('carol')}: ${personOf('carol')} has approved already, as release-manager; one person counts once.`,
    ])
  })

  test('is too late when the approval has expired, and the run fails by that', async () => {
    const project = guarded({ options: `, expires: '5s'` })
    const run = await waitingRun(project)
    const [{ until: end } = { until: null }] = await project.eventsOf(run, 'node-waiting')
    await until('it has expired', () => Date.now() > end!)
    expect(refusal(await approve(project, run, 'alice', 'release-manager'))).toMatchInlineSnapshot(
      `"1: error[approval-refused]: The approval "go live" expired before the decision arrived."`,
    )
    const late = await signedBy(project, 'alice', await decisionFor(project, run, {}))
    await smuggle(project, run, { approval: 'go/go live', decision: late })
    expect((await project.release(['resume', run])).code).toBe(1)
    expect(await given(project, run)).toEqual([])
    const [failed] = await project.eventsOf(run, 'node-failed')
    expect(failed?.failure.code).toBe('approval-expired')
  })

  test('self: true lets who started it approve', async () => {
    const project = guarded({ from: `{ 'release-manager': 1 }`, options: ', self: true' })
    const run = await waitingRun(project)
    expect((await approve(project, run, 'dave', 'release-manager')).code).toBe(0)
    expect((await project.release(['resume', run])).code).toBe(0)
  })

  test('without approvers a word counts unsigned, though not that of who started it', async () => {
    const project = guarded({ approvers: false, from: `{ 'release-manager': 1 }` })
    const run = await waitingRun(project)
    expect(refusal(await project.release(['approve', run, 'go live']))).toMatchInlineSnapshot(
      `"1: error[approval-refused]: dave@techcorp.example started this run and cannot approve it; somebody else has to."`,
    )
    const other = await project.release(['approve', 'go live', '--person', personOf('frank')])
    expect(other.code, other.stderr).toBe(0)
    expect((await project.release(['resume', run])).code).toBe(0)
    expect((await project.eventsOf(run, 'approval-given'))[0]).toMatchObject({ key: null, signature: null })
    const { stdout } = await project.release(['verify', run])
    expect(stdout).toContain(`given by ${personOf('frank')}, unsigned (the release names no approvers)`)
  })
})

test('release reject fails the approval with the reason, and needs one who may', async () => {
  const project = guarded()
  const run = await waitingRun(project)
  const reject = (name: string) =>
    project.release(['reject', run, 'go live', '--as', 'platform-owner', '--reason', 'the load test is red', '--key', keyOf(project, name)]) // biome-ignore format: a command
  expect(refusal(await reject('alice'))).toContain('does not have the role "platform-owner"')
  expect((await reject('bob')).code).toBe(0)
  expect((await project.release(['resume', run])).code).toBe(1)
  expect((await project.eventsOf(run, 'approval-rejected'))[0]).toMatchObject({
    person: personOf('bob'),
    reason: 'the load test is red',
  })
  expect(await project.eventsOf(run, 'node-failed')).toMatchObject([
    { failure: { message: expect.stringContaining('the load test is red') } },
  ])
  expect((await project.release(['report', run])).stdout).toContain('the load test is red')
})

describe('a word that is smuggled into the inbox', () => {
  /** What is refused, each as it would be put there. `given` is alice's word, which has been recorded. */
  const smuggled = async (project: TestProject, run: string, other: string): Promise<void> => {
    const decision = (said: Parameters<typeof decisionFor>[2], of = run) => decisionFor(project, of, said)
    const bob = { person: personOf('bob'), role: 'platform-owner' }
    const carol = { person: personOf('carol'), role: 'platform-owner' }
    const [alice] = await project.eventsOf(run, 'approval-given')
    const signed = await signedBy(project, 'carol', await decision({ ...carol, role: 'release-manager' }))
    const words = [
      // Replayed: the very word that counted.
      { statement: alice!.statement, signature: alice!.signature },
      // Forged: with the key of nobody, with that of another, with none.
      await signedBy(project, 'eve', await decision(bob)),
      await signedBy(project, 'alice', await decision(bob)),
      unsigned(await decision(bob)),
      // Altered after it was signed.
      { ...signed, statement: signed.statement.replace('release-manager', 'platform-owner') },
      // Of another run, of another plan, of another approval.
      await signedBy(project, 'bob', await decision(bob, other)),
      await signedBy(project, 'bob', await decision({ ...bob, plan: 'f'.repeat(64) })),
      await signedBy(project, 'bob', await decision({ ...bob, approval: 'go/go home' })),
      // By whom it may not be, or not so.
      await signedBy(project, 'eve', await decision({ person: personOf('eve'), role: 'platform-owner' })),
      await signedBy(project, 'alice', await decision({ role: 'platform-owner' })),
      await signedBy(project, 'dave', await decision({ person: personOf('dave'), role: 'platform-owner' })),
      await signedBy(project, 'carol', await decision({ ...carol, role: 'release-manager' })),
      // No decision at all, and one that says more than is signed for.
      { statement: '{"format":1}', signature: null },
      { ...signed, statement: ` ${signed.statement}` },
    ]
    for (const word of words) await smuggle(project, run, { approval: 'go/go live', decision: word })
  }
  const COUNT = 14

  const prepared = async (): Promise<{ project: TestProject; run: string; other: string }> => {
    const project = guarded()
    const [run, other] = [await waitingRun(project), await waitingRun(project)]
    expect((await approve(project, run, 'alice', 'release-manager')).code).toBe(0)
    expect((await project.release(['resume', run])).code).toBe(3)
    return { project, run, other }
  }

  test('while nobody runs the run is refused with its reason when it goes on', async () => {
    const { project, run, other } = await prepared()
    await smuggled(project, run, other)
    expect((await project.release(['resume', run])).code).toBe(3)
    const reasons = (await refused(project, run)).join('\n')
    const plain = reasons
      .replaceAll(run, '<run>')
      .replaceAll(other, '<other>')
      .replaceAll(/SHA256:[\w+/]+/g, 'SHA256:…')
      .replaceAll(/plan (?!f{12})[0-9a-f]{12}/g, 'plan …')
    expect(`\n${plain}\n`).toMatchInlineSnapshot(`
      "
      alice@techcorp.example: This very decision has been recorded before; it does not count twice. Give a new one.
      bob@techcorp.example: The signature does not count: it was made with a key that no approver has (SHA256:…).
      bob@techcorp.example: The signature does not count: it was made with a key of alice@techcorp.example, not of bob@techcorp.example.
      bob@techcorp.example: The signature does not count: it is not signed, and this release has approvers.
      carol@techcorp.example: The signature does not count: the text was changed after it was signed.
      bob@techcorp.example: This decision was given for the run <other>, not for <run>; a decision counts for one run only.
      bob@techcorp.example: This decision was given for another plan (ffffffffffff); this run follows the plan ….
      bob@techcorp.example: This run has no approval "go/go home".
      eve@techcorp.example: The signature does not count: eve@techcorp.example is not among the release's approvers.
      alice@techcorp.example: alice@techcorp.example does not have the role "platform-owner", but "release-manager".
      dave@techcorp.example: dave@techcorp.example started this run and cannot approve it; somebody else has to.
      carol@techcorp.example: Nobody is missing as "release-manager": 1 of 1 have approved.
      : The decision's "verdict" is missing or not what it should be.
      : The decision is not in its canonical form, so that its signature would cover another text.
      "
    `)
    expect(await given(project, run)).toEqual([`${personOf('alice')} as release-manager`])
    // What was refused is gone for good, and the right word still counts.
    expect((await project.release(['resume', run])).code).toBe(3)
    expect(await refused(project, run)).toHaveLength(COUNT)
    expect((await approve(project, run, 'bob', 'platform-owner')).code).toBe(0)
    expect((await project.release(['resume', run])).code).toBe(0)
  })

  test('while the runner waits is refused, and the runner waits on', async () => {
    const { project, run, other } = await prepared()
    const running = project.start(['resume', run, '--wait', 'forever'])
    await until('it is being run', async () => (await project.eventsOf(run, 'runner-attached')).length === 3)
    await smuggled(project, run, other)
    await until('all are refused', async () => (await refused(project, run)).length === COUNT)
    expect(await given(project, run)).toEqual([`${personOf('alice')} as release-manager`])
    expect((await approve(project, run, 'bob', 'platform-owner')).code).toBe(0)
    expect(await running.exit).toMatchObject({ code: 0 })
  })
})
