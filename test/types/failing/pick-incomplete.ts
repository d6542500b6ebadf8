import { param, release } from 'release-as-code'

const pace = param('pace', { choices: ['quick', 'real'] })

// wrong
export const missing = pace.pick({ quick: '1s' })
// wrong
export const unknown = pace.pick({ quick: '1s', real: '30m', rael: '20m' })
