import { app, service } from 'release-as-code'

const auth = service('auth-service')
// wrong
export const order = service('order-service', { needs: ['auth-service'] })
// wrong
export const web = app('web-app', { needs: [auth, 'order-service'] })
