import { rolling } from 'release-as-code'

// wrong
export const batch = rolling({ batch: '25' })
// wrong
export const unavailable = rolling({ maxUnavailable: 'half' })
