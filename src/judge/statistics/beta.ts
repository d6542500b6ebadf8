/**
 * The beta function and its incomplete form, from which come the tails of the binomial distribution.
 *
 * Sources: the continued fraction of Abramowitz and Stegun 26.5.8, evaluated as by Lentz (Press et al., "Numerical
 * Recipes", 3rd edition, 6.4); Stirling's series (Abramowitz and Stegun 6.1.41); Lanczos, SIAM Journal on Numerical
 * Analysis 1, 1964.
 */
import { ReleaseError } from '../../errors.ts'

/** ln Γ(x) for x > 0. */
export function lnGamma(x: number): number {
  if (x >= stirlingFrom) return (x - 0.5) * Math.log(x) - x + lnSqrt2Pi + stirlingRest(x)
  const sum = lanczos.reduce((total, term, index) => total + (index === 0 ? term : term / (x - 1 + index)), 0)
  const t = x + 6.5
  return lnSqrt2Pi + (x - 0.5) * Math.log(t) - t + Math.log(sum)
}

/** ln B(a, b) for a, b > 0, exact also where ln Γ of both is huge. */
export function lnBeta(a: number, b: number): number {
  const small = Math.min(a, b)
  const large = Math.max(a, b)
  const share = small / (small + large)
  if (small >= stirlingFrom) {
    const rest = stirlingRest(small) + stirlingRest(large) - stirlingRest(small + large)
    return (
      -0.5 * Math.log(large) + lnSqrt2Pi + rest + (small - 0.5) * Math.log(share) + large * Math.log1p(-share)
    )
  }
  if (large < stirlingFrom) return lnGamma(small) + lnGamma(large) - lnGamma(small + large)
  const rest = stirlingRest(large) - stirlingRest(small + large)
  return lnGamma(small) + rest + small - small * Math.log(small + large) + (large - 0.5) * Math.log1p(-share)
}

/** ln of the number of ways to choose `k` of `n`. */
export const lnChoose = (n: number, k: number): number =>
  k === 0 || k === n ? 0 : -Math.log(n + 1) - lnBeta(n - k + 1, k + 1)

/** The regularised incomplete beta function Iₓ(a, b): P(X ≤ x) of a beta variable. `x` is from 0 to 1. */
export function betaBelow(x: number, a: number, b: number): number {
  if (x <= 0) return 0
  if (x >= 1) return 1
  // The fraction converges fast on one side of the mean; on the other the complement does.
  if (x > (a + 1) / (a + b + 2)) return 1 - betaBelow(1 - x, b, a)
  const front = Math.exp(a * Math.log(x) + b * Math.log1p(-x) - lnBeta(a, b)) / a
  return front * continuedFraction(x, a, b)
}

/** The x with Iₓ(a, b) = p, found by halving until no double lies between. */
export function betaQuantile(p: number, a: number, b: number): number {
  if (p <= 0) return 0
  if (p >= 1) return 1
  let low = 0
  let high = 1
  for (;;) {
    const middle = (low + high) / 2
    if (middle <= low || middle >= high || high - low < 1e-16 * high) return middle
    if (betaBelow(middle, a, b) < p) low = middle
    else high = middle
  }
}

const lnSqrt2Pi = Math.log(2 * Math.PI) / 2
const stirlingFrom = 10

/** What Stirling's formula leaves out, for x ≥ 10. */
function stirlingRest(x: number): number {
  const inverse = 1 / (x * x)
  return stirling.reduceRight((sum, term) => sum * inverse + term, 0) / x
}

const stirling = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156]
const lanczos = [
  0.9999999999998099, 676.5203681218851, -1259.1392167224028, 771.3234287776531, -176.6150291621406,
  12.507343278686905, -0.13857109526572012, 0.000009984369578019572, 1.5056327351493116e-7,
]

const mostTerms = 1_000_000

function continuedFraction(x: number, a: number, b: number): number {
  const away = (value: number): number => (Math.abs(value) < 1e-300 ? 1e-300 : value)
  let c = 1
  let d = 1 / away(1 - ((a + b) * x) / (a + 1))
  let product = d
  for (let m = 1; m <= mostTerms; m += 1) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
    d = 1 / away(1 + even * d)
    c = away(1 + even / c)
    product *= d * c
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
    d = 1 / away(1 + odd * d)
    c = away(1 + odd / c)
    product *= d * c
    if (Math.abs(d * c - 1) < 1e-16) return product
  }
  throw new ReleaseError(
    'no-convergence',
    `the incomplete beta function of ${x}, ${a}, ${b} does not converge`,
    {
      hint: 'Shares and counts must be finite numbers that are not negative.',
    },
  )
}
