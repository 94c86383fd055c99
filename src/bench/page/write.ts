/*
 * The files that a result becomes. Measuring takes minutes, so what could hinder the writing is found before: a directory
 * that is not there, a plotting library that is not there.
 */
import { access, constants, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PlaitError } from '../../model/errors.js';
import type { BenchResult } from '../result.js';
import { loadPlotter } from './library.js';
import { renderPage } from './page.js';
import { drawPicture } from './picture.js';

/** Where each goes; what has no place is not made. */
export interface ReportFiles {
  json?: string | undefined;
  html?: string | undefined;
  /** SVG. */
  picture?: string | undefined;
}

export type WriteReports = (result: BenchResult) => Promise<void>;

type Report = [path: string | undefined, render: (result: BenchResult) => string];

/** @throws PlaitError where one of the files cannot be made */
export async function prepareReports({ json, html, picture }: ReportFiles): Promise<WriteReports> {
  for (const path of [json, html, picture])
    if (path !== undefined) await perform(path, () => access(dirname(path), constants.W_OK));
  const reports: Report[] = [[json, (result) => JSON.stringify(result, null, 2)]];
  if (html !== undefined || picture !== undefined) {
    const draw = await loadPlotter();
    reports.push([html, (result) => renderPage(draw, result)]);
    reports.push([picture, (result) => drawPicture(draw, result).text]);
  }
  return async (result) => {
    for (const [path, render] of reports) {
      if (path === undefined) continue;
      const text = render(result);
      await perform(path, () => writeFile(path, text.endsWith('\n') ? text : `${text}\n`));
    }
  };
}

async function perform(path: string, step: () => Promise<void>): Promise<void> {
  await step().catch((cause: Error) => {
    throw new PlaitError('REPORT_UNWRITABLE', `write ${path}: ${cause.message}`, {
      hint: 'give a file in a directory that exists',
      cause,
    });
  });
}
