/*
 * One colour for each variant, wherever it is drawn. The hues are those of Okabe and Ito, which people who see fewer
 * colours can still tell apart; each has a contrast of 3 or more to its background (WCAG 2.2, 1.4.11), those
 * of overlays, whose bars carry text in the background's colour, of 4.5 (1.4.3).
 *
 * Plots carry the light colours as attributes. A rule for each exchanges it where the reader prefers dark: style rules
 * win over attributes, and a program that knows no media queries still shows a whole picture.
 */
import type { Role, VariantInfo } from '../result.js';

interface Colour {
  light: string;
  dark: string;
}

/** Of everything that is not a variant. */
export const SURFACE = {
  ink: { light: '#1f2328', dark: '#f0f3f6' },
  muted: { light: '#59636e', dark: '#a2abb5' },
  line: { light: '#d8dee4', dark: '#343b44' },
  paper: { light: '#ffffff', dark: '#10151c' },
} as const satisfies Record<string, Colour>;

const ROLES: Record<Exclude<Role, 'other'>, Colour> = {
  bare: { light: '#818b96', dark: '#8b949e' },
  kernel: { light: '#c25200', dark: '#ee8434' },
  plait: { light: '#0072b2', dark: '#3fa2e0' },
  docker: { light: '#a84e80', dark: '#dc92bb' },
};

const OTHERS: readonly Colour[] = [
  { light: '#00875f', dark: '#1fb98c' },
  { light: '#8a6d00', dark: '#d9b423' },
  { light: '#6f5bd0', dark: '#a394f5' },
];

/** The light colour; `darkRules` exchanges it. */
export function colourOf(variant: VariantInfo, variants: readonly VariantInfo[]): string {
  if (variant.role !== 'other') return ROLES[variant.role].light;
  const others = variants.filter(({ role }) => role === 'other');
  const index = others.findIndex(({ id }) => id === variant.id);
  return OTHERS[index % OTHERS.length]?.light ?? SURFACE.ink.light;
}

/** Rules for a style sheet, of a page or of a picture. */
export function darkRules(): string {
  const all = [...Object.values(SURFACE), ...Object.values(ROLES), ...OTHERS];
  const rules = all.flatMap(({ light, dark }) =>
    ['fill', 'stroke'].map((attribute) => `[${attribute}="${light}"]{${attribute}:${dark}}`),
  );
  return `@media (prefers-color-scheme:dark){${rules.join('')}}`;
}
