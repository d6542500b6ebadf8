import { canary, compare, errorRate, latency } from 'release-as-code'

export const grouped = canary({
  // wrong
  analysis: {
    metrics: [
      // wrong
      compare(latency('p95'), { groups: ['speed'] }),
      // wrong
      errorRate({ group: 'errors' }).below('1%'),
    ],
    score: { weights: { speed: '40%' } },
  },
})

// wrong
export const alone = canary({ analysis: [compare(latency('p95'))], score: { pass: 95 } })
