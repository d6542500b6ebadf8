/**
 * Why an HTTP request got no answer, in a word or two.
 *
 * Boundary: pure; reads the errors that `fetch` throws. It never repeats their text, which may hold the address
 * and with it a secret.
 */

/** `ECONNREFUSED`: fetch itself says only "fetch failed"; what happened is in the cause, or in the cause's parts. */
export function noAnswerReason(error: unknown): string {
  const { cause, name } = error as { readonly cause?: Cause; readonly name?: unknown }
  const code = cause?.code ?? cause?.errors?.[0]?.code ?? name
  return typeof code === 'string' ? code : 'no reason given'
}

interface Cause {
  readonly code?: unknown
  readonly errors?: readonly { readonly code?: unknown }[]
}
