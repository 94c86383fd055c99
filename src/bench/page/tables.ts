/* All figures of a result as tables, for those who want the numbers, or cannot see the plots. */
import type { BenchResult, Measurement, OffloadTable, VariantInfo, WorkloadInfo } from '../result.js';
import type { Summary } from '../statistics.js';
import { exact, percent, times } from './figures.js';
import { html, type Markup } from './html.js';
import { offloadsTitle } from './panels.js';

export function figures(result: BenchResult): Markup[] {
  return result.tables.map((table) => figuresOf(result, table));
}

function figuresOf(result: BenchResult, table: OffloadTable): Markup {
  const title = `All figures, ${offloadsTitle(table.offloads)}`;
  return html`<div class="scroll" role="region" aria-label="${title}" tabindex="0">
<table>
<caption>${title}: median (lowest – highest)</caption>
<thead><tr>
<th scope="col">workload</th><th scope="col">over</th><th scope="col">result</th><th scope="col">of host</th><th scope="col">× kernel</th>
<th scope="col">CPU, µs per unit</th><th scope="col">× kernel</th><th scope="col">latency, median, µs</th><th scope="col">99th percentile, µs</th>
</tr></thead>
${result.workloads.map((workload) => bodyOf(workload, table, result.variants))}
</table>
</div>`;
}

function bodyOf(workload: WorkloadInfo, table: OffloadTable, variants: readonly VariantInfo[]): Markup {
  const results = table.rows.find((row) => row.workload === workload.id)?.results ?? {};
  const measured = variants.flatMap((variant) => {
    const measurement = results[variant.id];
    return measurement ? [{ variant, measurement }] : [];
  });
  if (measured.length === 0) return html``;
  const rows = measured.map(({ variant, measurement }, index) => {
    const head =
      index === 0
        ? html`<th scope="rowgroup" rowspan="${measured.length}">${workload.title}<small>${workload.unit}; CPU per ${workload.cpuPer}; ${workload.tool}</small></th>`
        : html``;
    return html`<tr class="${variant.role}">${head}<th scope="row">${variant.title}</th>${cells(measurement)}</tr>`;
  });
  return html`<tbody>${rows}</tbody>`;
}

function cells({ value, ofBare, toKernel, cpu, cpuToKernel, latency, stalledFlows }: Measurement): Markup[] {
  return [
    spread(value, stalledFlows ? `, ${stalledFlows} flows stalled` : ''),
    html`<td>${percent(ofBare)}</td>`,
    html`<td>${times(toKernel)}</td>`,
    spread(cpu),
    html`<td>${times(cpuToKernel)}</td>`,
    spread(latency?.p50),
    spread(latency?.p99),
  ];
}

function spread(summary: Summary | undefined, remark = ''): Markup {
  if (!summary) return html`<td>–</td>`;
  const { median, min, max } = summary;
  return html`<td>${exact(median)} <span>(${exact(min)} – ${exact(max)})${remark}</span></td>`;
}
