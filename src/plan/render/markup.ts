/**
 * HTML and SVG as text in which nothing foreign can be markup.
 *
 * Boundary: knows no plan. A template's own text is markup, whatever is put into it is not: it is escaped, unless a
 * template made it. There is no other way to make one.
 *
 *  K1. Control characters and marks that turn the direction of writing never get through, line breaks do.
 *  K2. JSON for a script element cannot end that element.
 */

/** Text that may stand in a page as it is. */
export interface Markup {
  readonly markup: string
}

export type Content = string | number | null | false | Markup | readonly Content[]

/** A piece of a page: `` html`<b>${name}</b>` `` escapes the name, in an element and in a quoted attribute. */
export const html = (strings: TemplateStringsArray, ...values: readonly Content[]): Markup => ({
  markup: strings.reduce((text, string, i) => text + written(values[i - 1]!) + string),
})

function written(content: Content): string {
  if (content === null || content === false) return ''
  if (typeof content === 'string') return escapeMarkup(content)
  if (typeof content === 'number') return String(content)
  return 'markup' in content ? content.markup : content.map(written).join('')
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** For an element's text and for an attribute in quotation marks. */
export const escapeMarkup = (text: string): string =>
  /^[\w .,:;/()–%→×-]*$/.test(text)
    ? text
    : text
        .replaceAll(/[^\P{Cc}\n\t]|[\u202a-\u202e\u2066-\u2069\ufffe\uffff]/gu, '�')
        .replaceAll(/[&<>"']/g, sign => entities[sign]!)

/** JSON that a script element may hold. */
export const scriptJson = (value: unknown): Markup => ({
  markup: JSON.stringify(value).replaceAll(/[<>&\u2028-\u202e\u2066-\u2069]/g, unicodeOf),
})

const unicodeOf = (sign: string): string => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`

/** Text of our own that holds no foreign one: a style, a script. */
export const trusted = (text: string): Markup => ({ markup: text })

/** What every page of ours looks like: by day, by night, on a narrow screen and on paper. */
export const PAGE_STYLE = `
:root { color-scheme: light dark; --paper: #fff; --card: #f8fafc; --ink: #16202c; --soft: #526071; --line: #d5dce5;
  --new: #1d5fd1; --old: #7a6a3f; --bad: #b3261e; --good: #1d6f3a; --warn: #8a5a00; --wait: #94a3b8; }
@media (prefers-color-scheme: dark) { :root { --paper: #10161e; --card: #18212c; --ink: #e6edf5; --soft: #9fb0c3;
  --line: #324050; --new: #7fb0ff; --old: #d6bd7a; --bad: #ff8f86; --good: #6fd08c; --warn: #f0bd5e; --wait: #66768a; } }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1.25rem 1rem 4rem; max-width: 72rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; overflow-wrap: anywhere }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .6rem } h2 { font-size: 1.25rem; margin: 2.2rem 0 .6rem }
h3 { font-size: 1.05rem; margin: 1.4rem 0 .4rem } h4 { font-size: .95rem; margin: 1rem 0 .3rem }
p { margin: .4rem 0 } code, pre { font: .86em/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .6rem; overflow-x: auto }
.scroll { overflow-x: auto } .scroll:focus-visible { outline: 2px solid var(--new) }
table { border-collapse: collapse; width: 100%; font-size: .88rem; overflow-wrap: normal } caption { text-align: left; color: var(--soft) }
th, td { text-align: left; vertical-align: top; padding: .28rem .6rem .28rem 0; border-bottom: 1px solid var(--line) }
th { font-weight: 600; color: var(--soft) } td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem .9rem; margin: .6rem 0 } dt { color: var(--soft) } dd { margin: 0; min-width: 0 }
summary { cursor: pointer; padding: .2rem 0 } .soft { color: var(--soft) } .good { color: var(--good) } .bad { color: var(--bad) } .warn { color: var(--warn) }
.bad, .warn { font-weight: 600 } .box { border-left: 4px solid var(--line); background: var(--card); padding: .6rem .9rem; border-radius: 4px }
.box.is-bad { border-color: var(--bad) } .box.is-good { border-color: var(--good) } .box.is-open { border-color: var(--warn) }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .6rem } figcaption { font-size: .85rem }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr } dt { margin-top: .3rem } }
@media print { :root { color-scheme: light; --paper: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb; --new: #1d5fd1; --old: #7a6a3f;
  --bad: #b3261e; --good: #1d6f3a; --warn: #8a5a00; --wait: #94a3b8 } body { max-width: none; padding: 0; font-size: 10pt }
  .scroll { overflow: visible } figure, tr, .box { break-inside: avoid } h2, h3, h4 { break-after: avoid } details::details-content { content-visibility: visible; block-size: auto } .screen { display: none } }
`

/** A table that scrolls by itself where the screen is narrow. `numbers`: columns of figures, counted from 0. */
export function markupTable(
  name: string,
  head: readonly string[],
  rows: readonly (readonly Content[])[],
  numbers: readonly number[] = [],
): Markup {
  const classOf = (i: number): Markup | null => (numbers.includes(i) ? html` class="number"` : null)
  return html`<div class="scroll" role="region" aria-label="${name}" tabindex="0"><table><thead><tr>${head.map(
    (title, i) => html`<th scope="col"${classOf(i)}>${title}</th>`,
  )}</tr></thead><tbody>${rows.map(
    row => html`<tr>${row.map((cell, i) => html`<td${classOf(i)}>${cell}</td>`)}</tr>
`,
  )}</tbody></table></div>`
}
