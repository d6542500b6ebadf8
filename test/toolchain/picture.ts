/**
 * Takes the picture of a page for the documentation: node test/toolchain/picture.ts RUN_OR_FILE OUT.png [options]
 *
 * RUN_OR_FILE is a run's id (its report is made first) or an HTML or SVG file. The picture is as wide as the page;
 * --part takes only one element of it, --dark the page at night, --width another width than 1200.
 */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, extname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { chromiumMissing, startBrowser } from '../rig/browser.ts'

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    part: { type: 'string' },
    state: { type: 'string' },
    width: { type: 'string', default: '1200' },
    height: { type: 'string' },
    dark: { type: 'boolean', default: false },
  },
})
const [what, out] = positionals
if (what === undefined || out === undefined) {
  console.error(
    'node test/toolchain/picture.ts RUN_OR_FILE OUT.png [--part SELECTOR] [--width PIXELS] [--height PIXELS] [--dark] [--state DIR]',
  )
  process.exit(2)
}
const missing = chromiumMissing()
if (missing !== null) {
  console.error(missing)
  process.exit(2)
}

const folder = await mkdtemp(join(tmpdir(), 'release-picture-'))
try {
  await take(await pageOf(what), resolve(out))
} finally {
  await rm(folder, { recursive: true })
}

/** A file that a browser shows: the one that is named, or the report of the run. */
async function pageOf(name: string): Promise<string> {
  const page = join(folder, 'page.html')
  if (extname(name) === '.html') return resolve(name)
  if (extname(name) === '.svg') {
    const picture = (await readFile(name, 'utf8')).replace(/^<\?xml[^>]*>\s*/, '')
    await writeFile(
      page,
      `<!doctype html><meta charset="utf-8"><body style="margin:0;width:max-content">${picture}`,
    )
    return page
  }
  const cli = resolve(import.meta.dirname, '../../runner/release.ts')
  const state = values.state === undefined ? [] : ['--state', values.state]
  const report = ['report', name, '--format', 'html', '--out', page, ...state]
  await promisify(execFile)(process.execPath, [cli, ...report])
  return page
}

async function take(file: string, to: string): Promise<void> {
  const browser = await startBrowser()
  try {
    const viewport = { width: Number(values.width), height: Number(values.height ?? 900) }
    const colorScheme = values.dark ? 'dark' : 'light'
    const page = await browser.newPage({ viewport, colorScheme, deviceScaleFactor: 2 })
    await page.goto(pathToFileURL(file).href)
    await mkdir(dirname(to), { recursive: true })
    if (values.part === undefined) await page.screenshot({ path: to, fullPage: values.height === undefined })
    else await page.locator(values.part).first().screenshot({ path: to })
    console.log(to)
  } finally {
    await browser.close()
  }
}
