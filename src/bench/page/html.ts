/*
 * Markup as a value of its own kind: what is put into an `html` template is escaped unless it is markup already, so
 * that no name from a result can become a tag. The same escapes do for XML.
 */

export class Markup {
  constructor(readonly text: string) {}

  toString(): string {
    return this.text;
  }
}

type Part = string | number | Markup | readonly Markup[];

export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  const texts = parts.map((part) => {
    if (part instanceof Markup) return part.text;
    return Array.isArray(part) ? part.join('\n') : escapeText(String(part));
  });
  return new Markup(String.raw({ raw: strings }, ...texts));
}

const ESCAPES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export function escapeText(text: string): string {
  return writable(text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? ''));
}

/** With a mark for each character that neither XML nor HTML has a way to write. */
export function writable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/gu, '\ufffd');
}
