/**
 * HAProxy's configuration, rendered from the routes: what it starts with, and what it is reloaded with when a component
 * is new. Everything else is changed in the running process (steer.ts).
 *
 * How a request finds its way:
 *
 *     edge ──────────────▶ <component>.<page>.stable ──▶ instances
 *       │                        ▲
 *       │                        └── hop.<component>.stable ◀──────────────┐ second choice
 *       └▶ <component>.to.canary ──▶ hop.<component>.canary ──▶ <component>.<page>.canary ──▶ instances
 *
 * Invariants:
 *  1. The side is drawn in the frontend against the component's rule and not by the weights of servers: a weight would
 *     have to be set on each server, one command after the other, with requests between them; and only what the
 *     frontend decided can be written into the request's header.
 *  2. A rule is looked up once in a request. Two pages of servers let a new set be made ready where no request sees it.
 *  3. What is not on the stable side stands behind a backend of two servers: its own side, and the way back. HAProxy
 *     repeats a request within one backend only, and avoids the server that failed it; so a caller is protected from
 *     an instance that breaks its connections, and that instance's counters show it. Where a connection cannot even be
 *     made, the instance counts as down at once, and the way back is the backup of its own backend: no method is
 *     repeated for that which an instance may have seen.
 *  4. A connection to an instance serves one request: a request that may not be repeated never meets a connection that
 *     the instance is just closing.
 *  5. A caller who leaves ends its request at the instance, as `abortonclose` says, and HAProxy answers 400 to nobody.
 *     No server's counters show that, nor how long it had waited: so it is counted here, for the set of instances
 *     that was asked (`left`), where no instance had answered and the stable side was not asked in its place.
 *     A body that takes a while to send says nothing of the instance's haste: of a large one only the request counts.
 *  6. One thread: an environment on one machine needs no more, and each command of the runtime API then stands between
 *     requests and not beside them.
 */
import { SIDE_HEADER, type Side } from '../../../../src/plan/plan.ts'
import type { Route, Routing } from '../../../../src/run/ports.ts'
import { CALLER_WAITS_MS } from '../../loopback/patience.ts'
import {
  ADMIN_SOCKET,
  backendName,
  expectName,
  LEFT,
  LONGEST_SET_KEY,
  MATCHES,
  PAGES,
  type Page,
  RULES,
  SERVERS,
  SIDES,
  STICKY,
  setKey,
  WAY_BACK,
} from './files.ts'
import { DRAWN, type Entry, matchEntries, type Rule, stickyEntries, writeRule } from './rule.ts'

export interface Rendering {
  readonly port: number
  readonly components: Readonly<Record<string, Routing>>
}

/** Everything as a started HAProxy reads it: by file name. */
export const renderFiles = ({ port, components }: Rendering): Readonly<Record<string, string>> => {
  const names = Object.keys(components).map(expectName)
  const rules = names.map(component => ({ component, rule: firstRule(components[component]!) }))
  return {
    'haproxy.cfg': [
      GLOBAL,
      TALLY,
      edge(port),
      ...names.map(component => renderComponent(component, components[component]!.routes)),
    ].join('\n'),
    [RULES]: lines(rules.map(({ component, rule }) => ({ key: component, value: writeRule(rule) }))),
    [SERVERS]: lines(
      names.flatMap(component => {
        const { routes } = components[component]!
        return [...routes.map(serverEntry(component)), ...setEntries({ component, page: FIRST_PAGE, routes })]
      }),
    ),
    [MATCHES]: lines(rules.flatMap(matchEntries)),
    [STICKY]: lines(rules.flatMap(stickyEntries)),
  }
}

const FIRST_PAGE: Page = 'a'

const firstRule = ({ fence, traffic }: Routing): Rule => ({ fence, page: FIRST_PAGE, generation: 1, traffic })

const lines = (entries: readonly Entry[]): string =>
  entries.map(({ key, value }) => `${key} ${value}\n`).join('')

const serverEntry =
  (component: string) =>
  (route: Route): Entry => ({
    key: `${backendName({ component, page: FIRST_PAGE, side: route.side })}/${expectName(route.instance)}`,
    value: describeServer(route),
  })

/** What HAProxy is to know of a server beside its address; read by position below and in live.ts. */
export const describeServer = ({ slot, version, health }: Route): string => `${slot}|${version}|${health}`

interface PageOf {
  readonly component: string
  readonly page: Page
  readonly routes: readonly Route[]
}

/** What HAProxy is to know of each side's instances on a page as a whole: under which key it counts for them, and whom it asks last. */
export const setEntries = ({ component, page, routes }: PageOf): readonly Entry[] =>
  SIDES.flatMap(side => {
    const own = routes.filter(route => route.side === side)
    const [first] = own
    if (first === undefined) return []
    const isOne = own.every(({ version }) => version === first.version)
    const key = setKey({ component, side, version: isOne ? first.version : '' })
    const backend = backendName({ component, page, side })
    return [
      { key: backend, value: key },
      { key: lastResortKey(backend), value: expectName(first.instance) },
    ]
  })

/**
 * How an instance is asked for its health: it has two seconds for an answer, and is ill when it has failed three times
 * in a row, as with the platform's own gateway. One that takes no connection is out at once where there is a way back.
 */
export const serverOptions = (side: Side): string =>
  `check inter 2s fastinter 250ms downinter 250ms rise 1 fall 3 observe layer4 error-limit 1 on-error ${
    side === 'stable' ? 'fail-check' : 'mark-down'
  }`

const refusal = (status: number, message: string): string =>
  `status ${status} content-type application/json hdr x-release-gateway refused string '${JSON.stringify({ status, message })}'`

/**
 * Its own HTTP client is never used: without the certificates that it would read, a start takes a third of the time.
 * `timeout connect` is also how long HAProxy waits before it asks the one server that is left again.
 */
const GLOBAL = `# Written by release-as-code at each start and reload: changes made here do not stay.
global
  nbthread 1
  fd-hard-limit 65536
  hard-stop-after 10m
.if feature(OPENSSL)
  httpclient.ssl.verify none
.endif
  stats socket unix@${ADMIN_SOCKET} mode 600 level admin expose-fd listeners

defaults
  mode http
  balance roundrobin
  timeout client 300s
  timeout http-request 60s
  timeout http-keep-alive 65s
  timeout connect 250ms
  timeout server 300s
  timeout queue 5s
  timeout tunnel 1h
  retries 3
  option redispatch 1
  option httpclose
  option abortonclose
  retry-on conn-failure empty-response
  http-error ${refusal(502, 'Every instance that was asked broke the connection.')}
  http-error ${refusal(503, 'No instance of this component gets traffic.')}
  http-error ${refusal(504, 'The instance did not answer in time.')}
`

/** A request that may have been seen by an instance is only repeated where that does no harm. */
const REPEAT = `http-request disable-l7-retry unless { method GET HEAD OPTIONS PUT DELETE } || { req.hdr(idempotency-key) -m found }`

const lookUp = (component: string): string => `  http-request set-var(txn.component) ${component}
  http-request set-var(txn.rule) var(txn.component),map_str(${RULES})`

const PAGE = '  http-request set-var(txn.page) var(txn.rule),field(2,|)'
const CARRY = `  http-request set-header ${SIDE_HEADER} %[var(txn.side)] if { var(txn.rule),field(6,|) -m str 1 }`

const edge = (port: number): string => `frontend edge
  bind 127.0.0.1:${port}
  option forwardfor
${lookUp('path,field(2,/),url_dec')}
  http-request return ${refusal(404, 'There is no such component here: addresses are /<component>/<path>.')} unless { var(txn.rule) -m found }
${PAGE}
  http-request set-var(txn.canary) var(txn.rule),field(4,|)
  http-request set-var(txn.both) var(txn.rule),field(5,|)
  acl looks var(txn.rule),field(7,|) -m str 1
  acl settled var(txn.side) -m found
  acl drawn var(txn.drawn) -m found
  http-request set-var(txn.side) req.hdr(${SIDE_HEADER}) if { var(txn.rule),field(6,|) -m str 1 } { req.hdr(${SIDE_HEADER}) -m str ${SIDES.join(' ')} }
  http-request set-var-fmt(txn.head) "%[var(txn.component)]:%[var(txn.rule),field(3,|)]|%[req.hdrs]" if looks
  http-request set-var(txn.side) str(canary) if looks !settled { var(txn.head),map_reg(${MATCHES}) -m found }
  http-request set-var(txn.side) var(txn.head),map_regm(${STICKY}) if looks !settled
  http-request set-var(txn.drawn) rand(${DRAWN}) if !settled
  http-request set-var(txn.side) str(canary) if drawn { var(txn.drawn),sub(txn.canary) lt 0 }
  http-request set-var(txn.side) str(baseline) if drawn !settled { var(txn.drawn),sub(txn.both) lt 0 }
  http-request set-var(txn.side) str(stable) if !settled
  http-request set-var(txn.sticky) var(txn.rule),field(8,|,0) if drawn
  http-request set-header x-forwarded-host %[req.hdr(host)]
  http-request set-header x-forwarded-prefix /%[var(txn.component)]
  http-request set-header x-forwarded-proto http
${CARRY}
  http-request set-path / if { path -m reg ^/[^/]+$ }
  http-request replace-path ^/[^/]+(/.*)$ \\1
  ${REPEAT}
  http-response set-header x-release-component %[var(txn.component)]
  http-response add-header set-cookie "%[var(txn.sticky)]=%[var(txn.side)]; Path=/%[var(txn.component)]; HttpOnly; SameSite=Lax" if drawn { var(txn.sticky) -m len gt 0 } { res.hdr(${SIDE_HEADER}),strcmp(txn.side) eq 0 }
  use_backend %[var(txn.component)].%[var(txn.page)].stable if { var(txn.side) -m str stable }
  use_backend %[var(txn.component)].to.%[var(txn.side)]
`

/** What is counted only grows, for as long as the worker lives. */
const TALLY = `backend ${LEFT}
  stick-table type string len ${LONGEST_SET_KEY} size 100k nopurge store gpc0,gpc1
`

const hopName = (component: string, side: Side): string => `hop.${component}.${side}`

/** The side's page is looked up anew: what was promoted meanwhile is found where it is now. */
const hop = (component: string, side: Side): string => `frontend ${hopName(component, side)}
  bind unix@${hopName(component, side)} mode 600
${lookUp(`str(${component})`)}
${PAGE}
  http-request set-var(txn.side) str(${side})
${CARRY}
  ${REPEAT}
  use_backend ${component}.%[var(txn.page)].${side}
`

const choice = (component: string, side: Side): string => `backend ${component}.to.${side}
  balance first
  server ${side} unix@${hopName(component, side)} id 1
  server ${WAY_BACK} unix@${hopName(component, 'stable')} id 2
`

/** In bytes: such a body needs more than one look at what the caller sends. */
const LARGE_BODY = 1_048_576

const SERVED = '%[be_name]/%[srv_name]'
const described = `var(txn.server),map_str(${SERVERS})`

interface Instances {
  readonly component: string
  readonly page: Page
  readonly side: Side
  readonly routes: readonly Route[]
}

const instances = ({ component, page, side, routes }: Instances): string =>
  [
    `backend ${backendName({ component, page, side })}`,
    '  option httpchk',
    '  http-check set-var(check.server) srv_name',
    `  http-check send meth GET uri-lf "%[be_name,concat(/,check.server),map_str(${SERVERS}),field(3,|,0)]" ver HTTP/1.1 hdr Host 127.0.0.1`,
    '  http-check expect status 200-299',
    `  http-request track-sc0 be_name,map_str(${SERVERS}) table ${LEFT}`,
    `  http-request set-var(txn.begun) date(0,ms) if !{ req.hdr(transfer-encoding) -m found } !{ req.hdr_val(content-length) gt ${LARGE_BODY} }`,
    '  acl answered var(txn.server) -m found',
    `  acl elsewhere srv_name -m str ${WAY_BACK}`,
    `  http-after-response set-var(txn.left) sc0_inc_gpc0(${LEFT}) if { status 400 } !answered !elsewhere`,
    `  http-after-response set-var(txn.left) sc0_inc_gpc1(${LEFT}) if { status 400 } !answered !elsewhere { date(0,ms),sub(txn.begun) ge ${CALLER_WAITS_MS} }`,
    `  http-response set-var-fmt(txn.server) "${SERVED}"`,
    `  http-response set-header x-release-slot %[${described},field(1,|)] if { ${described} -m found }`,
    `  http-response set-header x-release-version %[${described},field(2,|)] if { ${described} -m found }`,
    `  http-response set-header ${SIDE_HEADER} ${side} if { ${described} -m found }`,
    ...(side === 'stable' ? lastResort(backendName({ component, page, side })) : wayBack(component)),
    ...routes.map(
      route => `  server ${expectName(route.instance)} 127.0.0.1:${route.port} ${serverOptions(side)}`,
    ),
    '',
  ].join('\n')

/**
 * No answer at all is what makes the backend before this one choose the other way. Nothing waits here for a connection
 * to be tried again; so one that HAProxy itself is late to notice need not cost an instance its share.
 */
const wayBack = (component: string): readonly string[] => [
  '  timeout connect 1s',
  '  retries 2',
  '  errorfile 502 /dev/null',
  '  errorfile 503 /dev/null',
  `  server ${WAY_BACK} unix@${hopName(component, 'stable')} backup`,
]

/** Where the name of the server is found that is asked when all are down. */
const lastResortKey = (backend: string): string => `${backend}/`

/** Of the stable side there is nobody else to ask: where all its instances seem to be down, one is asked all the same. */
const lastResort = (backend: string): readonly string[] => [
  `  force-persist if { nbsrv(${backend}) eq 0 }`,
  `  use-server %[str(${lastResortKey(backend)}),map_str(${SERVERS})] if { nbsrv(${backend}) eq 0 }`,
]

const renderComponent = (component: string, routes: readonly Route[]): string =>
  [
    ...SIDES.map(side => hop(component, side)),
    ...SIDES.filter(side => side !== 'stable').map(side => choice(component, side)),
    ...PAGES.flatMap(page =>
      SIDES.map(side => {
        const here = page === FIRST_PAGE ? routes.filter(route => route.side === side) : []
        return instances({ component, page, side, routes: here })
      }),
    ),
  ].join('\n')
