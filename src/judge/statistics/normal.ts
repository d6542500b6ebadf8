/**
 * The normal distribution: its tail areas and their inverse, to the precision of a double.
 *
 * Sources: W. J. Cody, "Rational Chebyshev Approximations for the Error Function", Mathematics of Computation 23,
 * 1969; M. J. Wichura, "Algorithm AS 241: The Percentage Points of the Normal Distribution", Applied Statistics 37,
 * 1988. Both are what R's `pnorm` and `qnorm` use, and the tests hold them against R.
 */

/** P(Z ≤ z) for a standard normal Z. */
export const normalBelow = (z: number): number => (z > 0 ? 1 - upperTail(z) : upperTail(-z))

/** P(Z ≥ z), exact also where it is tiny. */
export const normalAbove = (z: number): number => normalBelow(-z)

/** The z with P(Z ≤ z) = p. −∞ at 0, ∞ at 1, not a number outside. */
export function normalQuantile(p: number): number {
  if (p === 0.5) return 0
  if (p <= 0 || p >= 1) return p === 0 ? -Infinity : p === 1 ? Infinity : Number.NaN
  const q = p - 0.5
  if (Math.abs(q) <= 0.425) {
    const r = 0.180625 - q * q
    return (q * polynomial(middleTop, r)) / polynomial(middleBottom, r)
  }
  const r = Math.sqrt(-Math.log(q < 0 ? p : 1 - p))
  const z =
    r <= 5
      ? polynomial(tailTop, r - 1.6) / polynomial(tailBottom, r - 1.6)
      : polynomial(farTop, r - 5) / polynomial(farBottom, r - 5)
  return q < 0 ? -z : z
}

/** P(Z ≥ z) for z ≥ 0. */
function upperTail(z: number): number {
  if (z <= 0.67448975) return 0.5 - bodyOf(z)
  const scaled = z <= Math.sqrt(32) ? nearTail(z) : farTail(z)
  // exp(−z²/2) in two factors, so that squaring z loses no digits.
  const coarse = Math.trunc(z * 16) / 16
  return Math.exp((-coarse * coarse) / 2) * Math.exp((-(z - coarse) * (z + coarse)) / 2) * scaled
}

/** P(0 ≤ Z ≤ z) near the middle. */
function bodyOf(z: number): number {
  const square = z * z
  return (z * polynomial(bodyTop, square)) / polynomial(bodyBottom, square)
}

const nearTail = (z: number): number => polynomial(nearTop, z) / polynomial(nearBottom, z)

function farTail(z: number): number {
  const inverse = 1 / (z * z)
  const correction = (inverse * polynomial(endTop, inverse)) / polynomial(endBottom, inverse)
  return (1 / Math.sqrt(2 * Math.PI) - correction) / z
}

/** Coefficients from the lowest power up. */
const polynomial = (coefficients: readonly number[], x: number): number =>
  coefficients.reduceRight((sum, coefficient) => sum * x + coefficient, 0)

// ── Cody 1969 ───────────────────────────────────────────────────────────────────────────────────
const bodyTop = [
  18154.98125334356, 1067.6894854603709, 161.02823106855587, 2.2352520354606837, 0.06568233791820745,
]
const bodyBottom = [45507.78933502673, 10260.932208618979, 976.0985517377767, 47.202581904688245, 1]
const nearTop = [
  9842.714838383978, 11602.65143764735, 6848.190450536283, 2494.5375852903726, 597.2702763948002,
  93.50665613217785, 8.883149794388377, 0.39894151208813466, 1.0765576773720192e-8,
]
const nearBottom = [
  19685.429676859992, 38912.00328609327, 34900.95272114598, 18615.571640885097, 6485.558298266761,
  1519.3775994075547, 235.387901782625, 22.266688044328117, 1,
]
const endTop = [
  0.000029112874951168793, 0.0014216191932278934, 0.022235277870649807, 0.12740116116024736,
  0.215898534057957, 0.023073441764940174,
]
const endBottom = [
  0.00007297515550839662, 0.0037823963320275824, 0.06598813786892856, 0.4682382124808651, 1.284260096144911,
  1,
]

// ── Wichura 1988 ────────────────────────────────────────────────────────────────────────────────
const middleTop = [
  3.3871328727963665, 133.14166789178438, 1971.5909503065513, 13731.69376550946, 45921.95393154987,
  67265.7709270087, 33430.57558358813, 2509.0809287301227,
]
const middleBottom = [
  1, 42.31333070160091, 687.1870074920579, 5394.196021424751, 21213.794301586597, 39307.89580009271,
  28729.085735721943, 5226.495278852854,
]
const tailTop = [
  1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045, 1.2704582524523684,
  0.2417807251774506, 0.022723844989269184, 0.0007745450142783414,
]
const tailBottom = [
  1, 2.053191626637759, 1.6763848301838038, 0.6897673349851, 0.14810397642748008, 0.015198666563616457,
  0.0005475938084995345, 1.0507500716444169e-9,
]
const farTop = [
  6.657904643501103, 5.463784911164114, 1.7848265399172913, 0.29656057182850487, 0.026532189526576124,
  0.0012426609473880784, 0.000027115555687434876, 2.0103343992922881e-7,
]
const farBottom = [
  1, 0.599832206555888, 0.1369298809227358, 0.014875361290850615, 0.0007868691311456133,
  0.000018463183175100548, 1.421511758316446e-7, 2.0442631033899397e-15,
]
