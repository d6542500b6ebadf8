/**
 * When a caller who leaves has given up, and has not only changed its mind.
 *
 * nginx logs such a request with the code 499, Envoy with the flag DC, and neither says whose fault it was. An instance
 * that hangs is seen in nothing else, though: its callers leave before there is any answer to count. People navigate
 * away and connections are dropped within moments; who has waited for a whole second without a byte of an answer was
 * kept waiting.
 */

/** The code of a request whose caller left before it was answered. */
export const CALLER_LEFT = 499

/** A caller who leaves without any answer after this long was failed by the instance. */
export const CALLER_WAITS_MS = 1000
