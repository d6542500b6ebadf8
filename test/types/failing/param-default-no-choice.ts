import { param } from 'release-as-code'

// wrong
export const pace = param('pace', { choices: ['quick', 'real'], default: 'reel' })
