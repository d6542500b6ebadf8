/**
 * From V8's stack text to the line of the definition.
 *
 * Boundary: knows the bundle's source map and nothing of who asks. The map is read and decoded when the
 * first place is asked for, once.
 */
import { SourceMap } from 'node:module'
import type { CallSite } from '../../src/definition/model.ts'
import type { Span } from '../../src/diagnostic.ts'
import type { Bundle } from './bundle.ts'
import { readText } from './keep.ts'
import { PACKAGE_NAME } from './own-package.ts'

/** A frame of a stack, in the sources. */
export interface SourceFrame {
  readonly span: Span
  /** It is in an installed package rather than in the team's own files. */
  readonly installed: boolean
}

export interface Locator {
  /** The innermost frame that lies in the team's sources or in a package that they import. */
  readonly locate: (at: CallSite) => Span | undefined
  /** All such frames, innermost first. */
  readonly frames: (stack: string) => readonly SourceFrame[]
}

/** A locator for the stacks of one bundle's code. */
export function createLocator(bundle: Bundle): Locator {
  let map: SourceMap | null | undefined
  const places = new Map<string, Span | undefined>()
  const frames = (stack: string): readonly SourceFrame[] => {
    map ??= readMap(bundle)
    return map === null ? [] : sourceFrames(stack, bundle.path, map)
  }
  return {
    frames,
    locate: ({ stack }) => {
      if (!places.has(stack)) places.set(stack, frames(stack)[0]?.span)
      return places.get(stack)
    },
  }
}

function readMap(bundle: Bundle): SourceMap | null {
  const text = bundle.map ?? readText(bundle.mapPath)
  if (text === undefined) return null
  try {
    return new SourceMap(JSON.parse(text))
  } catch {
    // Without its map a bundle still runs; only its positions are lost.
    return null
  }
}

function sourceFrames(stack: string, path: string, map: SourceMap): readonly SourceFrame[] {
  return stack.split('\n').flatMap(line => {
    const position = positionIn(line, path)
    if (position === undefined) return []
    const entry = map.findEntry(position.line - 1, position.column - 1)
    if (!('originalSource' in entry) || entry.originalSource.startsWith(`${PACKAGE_NAME}:`)) return []
    const { originalSource: file, originalLine, originalColumn } = entry
    return [
      {
        span: { file, line: originalLine + 1, column: originalColumn + 1 },
        installed: file.split('/').includes('node_modules'),
      },
    ]
  })
}

/** The path is searched rather than parsed, since folders may hold spaces, colons and brackets. */
function positionIn(line: string, path: string): { line: number; column: number } | undefined {
  const start = line.lastIndexOf(`${path}:`)
  if (start < 0) return undefined
  const [, row, column] = /^(\d+):(\d+)/.exec(line.slice(start + path.length + 1)) ?? []
  return row === undefined ? undefined : { line: Number(row), column: Number(column) }
}
