/*
 * The one place that knows the plotting library: Apache ECharts, which draws SVG as text, without a browser or a
 * document. It is big, so it is loaded when something is to be drawn; `npm run build` puts its one file and its
 * licences beside the compiled sources, which is all that the packages carry of it.
 */
import type { EChartsOption, init } from 'echarts';
import { PlaitError } from '../../model/errors.js';
import { html, Markup, writable } from './html.js';

export type PlotOption = EChartsOption;

export interface PlotFrame {
  /** Pixels; the picture scales. */
  width: number;
  height: number;
  /** For readers who do not see it: what it is, and what it shows. */
  title: string;
  description: string;
  /** Makes the ids of one page differ. */
  id: string;
  /** Rules that the picture carries itself, when it stands alone. */
  style?: string;
}

export class PlotLibraryMissing extends PlaitError {
  constructor(cause: unknown) {
    super('PLOT_LIBRARY_MISSING', `load the plotting library: ${(cause as Error).message}`, {
      hint: 'run `npm ci && npm run build`, or install the package of Plait again',
      cause,
    });
  }
}

const PLACE = new URL('../../../vendor/echarts/echarts.esm.min.mjs', import.meta.url);

const LIBRARY_FONT = 'sans-serif';
/** Once for a picture, not with each text: the library does not escape attributes, so no name with a quote goes there. */
const FONT = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif";

export type Draw = (option: PlotOption, frame: PlotFrame) => Markup;

/** @throws PlotLibraryMissing where the file is not there */
export async function loadPlotter(): Promise<Draw> {
  const library = (await import(PLACE.href).catch((cause: unknown) => {
    throw new PlotLibraryMissing(cause);
  })) as { init: typeof init };
  return (option, frame) => {
    const { width, height } = frame;
    const chart = library.init(null, null, { renderer: 'svg', ssr: true, width, height });
    try {
      chart.setOption({ animation: false, ...option });
      return new Markup(dress(chart.renderToSVGString(), frame));
    } finally {
      chart.dispose();
    }
  };
}

/** Takes away what nobody sees or only a script would use, and puts in what a reader does: names, scaling, style. */
function dress(svg: string, { width, height, title, description, id, style }: PlotFrame): string {
  const still = writable(svg)
    .replace(/<style[^>]*><!\[CDATA\[[^\]]*\]\]>\s*<\/style>/g, '')
    .replace(/ (?:class="zr[^"]*"|ecmeta_\w+="[^"]*"|pointer-events="[^"]*"|xmlns:xlink="[^"]*")/g, '')
    .replace(/<path [^>]*fill-opacity="0"[^>]*stroke-width="0"><\/path>\n?/g, '')
    .replaceAll(`font-family:${LIBRARY_FONT};`, '')
    .replace(/ (?:version="1\.1" baseProfile="full"|stroke-miterlimit="2")/g, '');
  const head = html`<svg role="img" aria-labelledby="${id}-t ${id}-d" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="${FONT}" xmlns="http://www.w3.org/2000/svg">
<title id="${id}-t">${title}</title>
<desc id="${id}-d">${description}</desc>
${style === undefined ? '' : html`<style>${new Markup(style)}</style>`}`;
  return still.replace(/^\s*<svg[^>]*>/, () => head.text).replace(/\n{2,}/g, '\n');
}
