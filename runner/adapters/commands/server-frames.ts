/**
 * The frames between the runner and fork-server.pl, whose head says what each holds.
 *
 * Boundary: bytes only.
 *
 *  FR1. What a command prints is passed on as it arrives, also as a part of its frame: nothing large is put together.
 *  FR2. A text that cannot be put into a frame unchanged is refused, not changed.
 */

/** Length (4), type (1), id (4). */
const head = 9

const NUL = '\0'

/** Type, id, and fields that NUL ends. */
export function encodeFrame(type: 'B' | 'S' | 'D', id: number, fields: readonly string[]): Buffer {
  const text = fields.length === 0 ? '' : `${fields.join(NUL)}${NUL}`
  const length = Buffer.byteLength(text)
  const frame = Buffer.allocUnsafe(head + length)
  frame.writeUInt32BE(head - 4 + length, 0)
  frame.write(type, 4, 'latin1')
  frame.writeUInt32BE(id, 5)
  frame.write(text, head)
  return frame
}

/** An environment as entries; variables that are undefined are not in it. */
export function entriesOf(environment: Readonly<Record<string, string | undefined>>): readonly string[] {
  const entries: string[] = []
  for (const key in environment) {
    if (environment[key] !== undefined) entries.push(`${key}=${environment[key]}`)
  }
  return entries
}

/** Whether every text fits between two NULs. */
export const fits = (texts: readonly string[]): boolean => texts.every(text => !text.includes(NUL))

/** What the server says. `bytes` is only valid during the call. */
export interface Said {
  readonly type: string
  readonly id: number
  readonly bytes: Buffer
}

/** Cuts what arrives into frames. */
export function createReader(said: (frame: Said) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0)
  /** The output of which the end has not arrived, and how much of it is missing. */
  let open = { type: '', id: 0, missing: 0 }
  return chunk => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let at = 0
    for (;;) {
      if (open.missing > 0) {
        const part = bytes.subarray(at, at + open.missing)
        if (part.length > 0) said({ type: open.type, id: open.id, bytes: part })
        at += part.length
        open.missing -= part.length
        if (open.missing > 0) break
      }
      if (bytes.length - at < head) break
      const length = bytes.readUInt32BE(at) + 4
      const type = String.fromCharCode(bytes[at + 4]!)
      const id = bytes.readUInt32BE(at + 5)
      if (type === 'O' || type === 'E') {
        open = { type, id, missing: length - head }
        at += head
        continue
      }
      if (bytes.length - at < length) break
      said({ type, id, bytes: bytes.subarray(at + head, at + length) })
      at += length
    }
    rest = Buffer.from(bytes.subarray(at))
  }
}
