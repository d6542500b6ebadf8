/** What a guard does and does not do, in time that jumps. */
import { describe, expect, it } from 'vitest'
import { InputError, StateError } from '../../src/errors.ts'
import { cutOffUntil, foldGuard, type GuardLine } from '../../src/run/guard-record.ts'
import {
  another,
  bad,
  broken,
  canariedPlan,
  endOf,
  GuardRig,
  hindrancesIn,
  linesOf,
  MINUTE,
  right,
  START,
  succeededRun,
} from './guard-rig.ts'

const rig = (change: (rig: GuardRig) => void = () => {}): GuardRig => {
  const made = new GuardRig()
  change(made)
  return made
}

const passes = (rig: GuardRig, minutes: number, happens: () => void): void =>
  void rig.meanwhile.push({ at: START + minutes * MINUTE, happens })

const held = (): StateError =>
  new StateError('environment-held', 'api in production belongs to the run shop-4.0.0', {
    hint: 'Wait for it.',
  })

describe('what it restarts, and what it leaves alone', () => {
  it('an instance that has died is started again, also where another run was and is gone without a trace', async () => {
    for (const before of [new Map(), new Map([['production/api', another]])]) {
      const told = await rig(made => {
        made.before = before
        passes(made, 2, () => made.dies('api', 1))
      }).run()
      expect(told.restarted).toEqual(['api 1'])
      expect(endOf(told)).toBe('quiet: its time is over')
    }
  })

  it('a newer release in its place, with fewer instances: it is gone, and brings nothing back', async () => {
    const told = await rig(made => {
      made.before = new Map([['production/api', another]])
      passes(made, 2, () => made.release('api', '4.0.0', 2))
    }).run()
    expect(told.restarted).toEqual([])
    expect(endOf(told)).toMatchInlineSnapshot(
      `"gone: api in production is not as this run left it: instance 1 runs 4.0.0 (ffffffffffff): the run shop-4.0.0 of bob has been there since"`,
    )
    expect(told.endedAt).toBeLessThanOrEqual(START + 3 * MINUTE)
    const { instances } = linesOf(told, 'guard-round').at(-1)!.targets[0]!
    expect(instances).toEqual({ healthy: 0, of: 3 })
  })

  it('the same version, released again with fewer instances: gone as well', async () => {
    const told = await rig(made => {
      made.before = new Map([['production/api', another]])
      passes(made, 2, () => made.release('api', '3.0.0', 2))
    }).run()
    expect(told.restarted).toEqual([])
    expect(endOf(told)).toMatchInlineSnapshot(
      `"gone: api in production: nothing runs in slot 2, where 3.0.0 should: the run shop-4.0.0 of bob has been there since"`,
    )
  })

  it('while the other run still works there, it only waits', async () => {
    const told = await rig(made => {
      made.isHeld = now => now < START + 5 * MINUTE
      passes(made, 2, () => made.release('api', '4.0.0', 2))
      passes(made, 4, () => made.release('api', '3.0.0', 3))
    }).run()
    expect(told.restarted).toEqual([])
    expect(endOf(told)).toBe('quiet: its time is over')
  })

  it('everything stopped on purpose: nothing is started or measured, and it ends', async () => {
    const made = rig()
    passes(made, 2, () => {
      made.instances.set('api', [])
      made.instances.set('web', [])
      made.reads.clear()
      made.measured = (_, now) => bad(now)
    })
    const told = await made.run()
    expect([told.restarted, [...made.reads]]).toEqual([[], []])
    expect(endOf(told)).toBe('gone: somebody has stopped api in production, web in production')
  })

  it('a part stopped on purpose: told once, left as it is, and the rest is watched on', async () => {
    const told = await rig(made => {
      passes(made, 2, () => made.instances.set('api', []))
      passes(made, 3, () => made.dies('web', 0))
    }).run()
    expect(told.restarted).toEqual(['web 0'])
    expect(hindrancesIn(told)).toEqual(
      [0, 1, 2].map(
        slot =>
          `stopped: api in production: nothing runs in slot ${slot}, where 3.0.0 should; somebody has stopped it, and it is not started again`,
      ),
    )
    expect(
      linesOf(told, 'guard-round')
        .at(-1)!
        .targets.map(({ measured }) => measured.length),
    ).toEqual([0, 5])
    expect(endOf(told)).toBe('quiet: its time is over')
  })

  it('an instance that ends after its requests were led away is about to be taken away: it is left alone', async () => {
    const told = await rig(made => {
      passes(made, 2, () => {
        const [first, ...rest] = made.instances.get('api')!
        made.instances.set('api', [{ ...first!, running: false, healthy: false, routed: false }, ...rest])
      })
    }).run()
    expect(told.restarted).toEqual([])
  })

  it('what dies while the locks are waited for is looked at again before it is started', async () => {
    const made = rig(one => one.dies('api', 0))
    const due = [{ target: { environment: 'production', component: 'api', version: '3.0.0' }, due: [] }]
    made.release('api', '4.0.0', 3)
    expect(await made.recover(due)).toMatchObject({
      applied: [],
      superseded: expect.stringContaining('4.0.0'),
    })
  })
})

describe('what it could not see', () => {
  const ERRORS = 'error rate of api in production cannot be measured, 5 times in a row: there was no answer'

  it('a source that never answers: told after five errors in a row, and not quiet at the end', async () => {
    const told = await rig(made => {
      made.measured = (component, now) => (component === 'api' ? broken(now) : right(now))
    }).run()
    expect(hindrancesIn(told)).toEqual([`unmeasured: ${ERRORS}`])
    expect(linesOf(told, 'guard-hindered')[0]!.at).toBe(START + 2.5 * MINUTE)
    expect(endOf(told)).toBe(
      'unmeasured: its time is over, and error rate of api in production cannot be measured, 20 times in a row: there was no answer',
    )
  })

  it('one that is in error at the end is unmeasured; one that came back, or failed once, is quiet', async () => {
    const failing = (from: number, to: number) =>
      rig(made => {
        made.measured = (_, now) =>
          now >= START + from * MINUTE && now < START + to * MINUTE ? broken(now) : right(now)
      }).run()
    expect((await failing(5, 99)).outcome).toBe('unmeasured')
    const back = await failing(2, 6)
    expect([back.outcome, hindrancesIn(back).length]).toEqual(['quiet', 2])
    expect((await failing(10, 99)).outcome).toBe('quiet')
  })

  it('too few requests to judge by, all the time: unmeasured', async () => {
    const told = await rig(made => {
      made.measured = (_, now) => ({ at: now, value: 0, requests: 1 })
    }).run()
    expect(endOf(told)).toBe(
      'unmeasured: its time is over, and error rate of api in production was measured 20 times, and never so that it could be judged, and so for 1 more',
    )
  })
})

describe('a trigger fires', () => {
  const firing = (change: (rig: GuardRig) => void) =>
    rig(made => {
      made.measured = (_, now) => bad(now)
      change(made)
    })

  it('while somebody holds a place: it tells so once, waits longer each time, and takes it back then', async () => {
    const tries: number[] = []
    const made: GuardRig = firing(one => {
      one.rollBack = async () => {
        tries.push(made.now)
        if (tries.length < 8) throw held()
        return true
      }
    })
    const told = await made.run()
    expect(tries.map(at => (at - tries[0]!) / 1000)).toEqual([0, 1, 3, 7, 15, 31, 61, 91])
    expect(hindrancesIn(told)).toEqual([
      'held: api in production belongs to the run shop-4.0.0. Wait for it; the guard waits for that, and tries again',
    ])
    expect(told.outcome).toBe('rolled-back')
    expect(linesOf(told, 'guard-fired')).toHaveLength(1)
  })

  it('told to stop while it waits: it says that nothing was taken back', async () => {
    const made = firing(one => {
      one.rollBack = async () => {
        one.stopped.abort()
        throw held()
      }
    })
    expect(endOf(await made.run())).toContain(
      'interrupted: it was told to stop before the release was taken back',
    )
  })

  it('where it cannot be taken back, that is its end, with the reason', async () => {
    const refusal = new InputError([
      {
        code: 'nothing-to-undo',
        severity: 'error',
        message: 'the run has done nothing that could be undone',
      },
    ])
    const made = firing(one => {
      one.rollBack = () => Promise.reject(refusal)
    })
    expect(endOf(await made.run())).toMatch(
      /^rollback-failed: error rate 40% is not .*; it could not be taken back: the run has done nothing that could be undone$/,
    )
  })

  it('where another release stands by then, it is gone; where that is elsewhere, it has failed', async () => {
    const changed = new StateError('environment-changed', 'web in staging is not as this run left it')
    const run = (foreign: boolean) =>
      firing(one => {
        one.rollBack = async () => {
          if (foreign) one.release('api', '4.0.0', 3)
          throw changed
        }
      }).run()
    expect(endOf(await run(true))).toContain('gone: api in production is not as this run left it')
    expect(endOf(await run(false))).toContain('it could not be taken back: web in staging is not')
  })

  it('a place that is taken over in the middle of it is no reason to begin anew: that is its end', async () => {
    const made = firing(one => {
      one.rollBack = async () => {
        one.state = { ...one.state, phase: 'running' }
        throw new StateError('environment-taken-over', 'another run has taken api over')
      }
    })
    expect(endOf(await made.run())).toContain('it could not be taken back: another run has taken api over')
  })

  it('a defect is written down as an end, and then said as what it is', async () => {
    const lines: GuardLine[] = []
    const made = firing(one => {
      one.rollBack = () => Promise.reject(new TypeError('no such thing'))
    })
    await expect(made.run(lines)).rejects.toThrow('no such thing')
    expect(endOf({ lines })).toContain('rollback-failed: ')
  })

  it('with the last moment of its time: it fires all the same', async () => {
    const told = await firing(one => {
      one.measured = (_, now) => (now > START + 8 * MINUTE ? bad(now) : right(now))
    }).run()
    expect(told.outcome).toBe('rolled-back')
  })
})

describe('its time', () => {
  it('is over just after somebody has taken the release back: it is gone, and not quiet', async () => {
    const told = await rig(made => {
      made.duration = 10 * MINUTE + 10_000
      passes(made, 10.1, () => {
        made.state = { ...made.state, outcome: 'cancelled' }
      })
    }).run()
    expect(endOf(told)).toBe('gone: the run ended as cancelled')
  })

  const untilOf = (told: { lines: readonly GuardLine[] }): number =>
    linesOf(told, 'guard-started')[0]!.until - START

  it('goes on with that of one that was cut off; what is asked for by hand counts from now', async () => {
    const goesOn = await rig(made => {
      made.cutOff = START + 4 * MINUTE
    }).run()
    expect([untilOf(goesOn), goesOn.endedAt - START, goesOn.outcome]).toEqual([
      4 * MINUTE,
      4 * MINUTE,
      'quiet',
    ])
    const anew = await rig(made => {
      made.cutOff = START + 4 * MINUTE
      made.duration = 7 * MINUTE
    }).run()
    expect(untilOf(anew)).toBe(7 * MINUTE)
    expect(untilOf(await rig().run())).toBe(10 * MINUTE)
  })

  it('that is over before it begins is not called quiet', async () => {
    const told = await rig(made => {
      made.cutOff = START - MINUTE
    }).run()
    expect(endOf(told)).toMatch(/^unmeasured: its time was over before this watch began/)
  })

  it('is that of the latest watch that did not come to its end', async () => {
    const { lines } = await rig().run()
    const [started] = linesOf({ lines }, 'guard-started')
    const ended = (outcome: 'quiet' | 'interrupted'): GuardLine[] => [
      started!,
      { type: 'guard-ended', at: 1, outcome, reason: '', rounds: 1 },
    ]
    const decided = [{ ...started!, until: started!.at }]
    const of = (...guards: (readonly GuardLine[])[]): number | null => cutOffUntil(guards.map(foldGuard))
    expect([of(), of([]), of(ended('quiet')), of([started!], ended('quiet'))]).toEqual([
      null,
      null,
      null,
      null,
    ])
    const { until } = started!
    expect([of([started!]), of(ended('quiet'), ended('interrupted')), of([started!], decided)]).toEqual([
      until,
      until,
      until,
    ])
  })
})

describe('a run that nobody goes on with', () => {
  const divided = (decideTraffic: (rig: GuardRig, tries: number) => void): GuardRig => {
    const made = new GuardRig(canariedPlan())
    made.state = succeededRun(made.plan, { end: false, upTo: 'production/api/canary/25/shift' })
    let tries = 0
    made.decideTraffic = async () => decideTraffic(made, ++tries)
    return made
  }

  it('and that has nothing divided is for people', async () => {
    const made = rig(one => {
      one.state = succeededRun(one.plan, { end: false })
    })
    await expect(made.run()).rejects.toThrow('has not ended, and nobody goes on with it')
  })

  it('its traffic goes back, also where a place is somebody else’s at first', async () => {
    const told = await divided((made, tries) => {
      if (tries < 3) throw held()
      made.state = succeededRun(made.plan)
    }).run()
    expect(linesOf(told, 'guard-decided')).toMatchObject([{ components: ['api'] }])
    expect(hindrancesIn(told)).toHaveLength(1)
    expect(endOf(told)).toMatch(
      /^rollback-failed: nobody goes on with the run, and the traffic of api is divided/,
    )
    expect(told.endedAt - START).toBe(3_000)
  })

  it('where that cannot be done, the end says why', async () => {
    const told = await divided(() => {
      throw new StateError('environment-changed', 'api in production is not as this run left it')
    }).run()
    expect(endOf(told)).toMatch(/that failed: api in production is not as this run left it$/)
  })

  it('somebody goes on with it meanwhile: the guard waits for its end', async () => {
    const told = divided(made => {
      made.state = succeededRun(made.plan)
      throw held()
    }).run()
    await expect(told).rejects.toThrow('it says nothing of what to watch')
  })
})
