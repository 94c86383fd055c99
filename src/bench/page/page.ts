/*
 * A result as one HTML file that needs nothing else: no network, no script. First what it comes to, then a plot for
 * each measure of each workload, then all figures, and how to have them again. It is well-formed XML, too.
 */
import type { BenchResult, VariantInfo } from '../result.js';
import { headline, tiles } from './headline.js';
import { html, Markup } from './html.js';
import type { Draw } from './library.js';
import { machineList, method, repeatLines } from './method.js';
import { type Panel, type Section, sections } from './panels.js';
import { drawPicture } from './picture.js';
import { plotPanel } from './plot.js';
import { hasShares } from './shares.js';
import { PAGE_STYLE } from './style.js';
import { figures } from './tables.js';
import { machineLine, runLine } from './words.js';

export function renderPage(draw: Draw, result: BenchResult): string {
  const title = 'Plait: speed against the kernel’s overlay';
  const page = html`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<title>${title}</title>
<style>${new Markup(PAGE_STYLE)}</style>
</head>
<body>
<header>
<h1>${title}</h1>
<p class="muted">${machineLine(result)}. ${runLine(result)}.</p>
</header>
<main>
${summary(draw, result)}
${sections(result).map((section) => sectionMarkup(draw, section, result.variants))}
<section>
<h2 id="figures">All figures</h2>
${figures(result)}
</section>
<section>
<h2 id="method">How it was measured</h2>
${machineList(result)}
${method(result)}
<h3>To repeat it, as root</h3>
<pre>${repeatLines(result).join('\n')}</pre>
<details><summary>The result as JSON, with every sample</summary>
<pre>${JSON.stringify(result)}</pre></details>
</section>
</main>
<footer>Made by <code>plait bench</code>.</footer>
</body>
</html>
`;
  return page.text;
}

function summary(draw: Draw, result: BenchResult): Markup {
  const tileList = tiles(result).map(
    ({ title, figure, text }) =>
      html`<li class="tile"><h2>${title}</h2><strong>${figure}</strong><p>${text}</p></li>`,
  );
  return html`${headline(result).map((sentence) => html`<p>${sentence}</p>`)}
${tileList.length > 0 ? html`<ul class="tiles">${tileList}</ul>` : ''}
${hasShares(result) ? html`<figure class="card wide">${drawPicture(draw, result)}</figure>` : ''}`;
}

function sectionMarkup(
  draw: Draw,
  { id, title, text, panels }: Section,
  variants: readonly VariantInfo[],
): Markup {
  return html`<section aria-labelledby="${id}">
<h2 id="${id}">${title}</h2>
<p class="muted">${text}</p>
<div class="cards">
${panels.map((panel) => card(draw, panel, variants))}
</div>
</section>`;
}

function card(draw: Draw, panel: Panel, variants: readonly VariantInfo[]): Markup {
  const better = panel.higherIsBetter ? 'more is better' : 'less is better';
  return html`<figure class="card">
<h3>${panel.title} <small>${panel.unit}, ${better}</small></h3>
${plotPanel(draw, panel, variants)}
</figure>`;
}
