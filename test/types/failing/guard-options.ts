import { errorRate, latency, release, trigger } from 'release-as-code'

export default release('phoenix', { version: '3.0.0' })
  .stage('settle', s => s.wait('1s'))
  // wrong
  .onFailure('rollback-all', { rollback: 'all-at-once' })
  .guard({
    // wrong
    for: '24 hours',
    triggers: [
      // wrong
      errorRate().above('5%'),
      // wrong
      trigger(errorRate(), { period: '2m' }),
      // wrong
      trigger(latency('p95').above('2s'), { breaches: 3 }),
    ],
  })
