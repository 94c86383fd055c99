/* The files that a result becomes. */
import { writeFile } from 'node:fs/promises';
import { PlaitError } from '../../model/errors.js';
import type { BenchResult } from '../result.js';
import { loadPlotter } from './library.js';
import { renderPage } from './page.js';
import { drawPicture } from './picture.js';

export interface ReportFiles {
  /** Where the page goes. */
  html?: string | undefined;
  /** Where the picture goes, SVG. */
  picture?: string | undefined;
}

/** Writes those that are asked for. @throws PlaitError where one cannot be made or written */
export async function writeReports(result: BenchResult, { html, picture }: ReportFiles): Promise<void> {
  if (html === undefined && picture === undefined) return;
  const draw = await loadPlotter();
  if (html !== undefined) await writeReport(html, renderPage(draw, result));
  if (picture !== undefined) await writeReport(picture, `${drawPicture(draw, result)}\n`);
}

/** @throws PlaitError that names the file */
export async function writeReport(path: string, text: string): Promise<void> {
  await writeFile(path, text).catch((cause: Error) => {
    throw new PlaitError('REPORT_UNWRITABLE', `write ${path}: ${cause.message}`, {
      hint: 'give a file in a directory that exists',
      cause,
    });
  });
}
