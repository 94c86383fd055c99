/*
 * What this kernel has, and which way the datapath takes because of it. Each answer comes from a probe that does the
 * thing: distributions backport, so a version says little.
 */
import { features } from 'libbpf-ts-bindings';

export type Feature = keyof typeof features;

export interface Paths {
  /** How programs hang on devices. */
  readonly attach: 'tcx' | 'clsact';
  /** How an inner packet of the other IP version than the underlay's comes to light: in one step, by the kernel's flags. */
  readonly otherFamily: 'one step' | 'two steps';
}

export interface KernelFeatures {
  readonly found: Readonly<Record<Feature, boolean>>;
  readonly paths: Paths;
}

/** Probes once per process; see `features` of the binding for what each one does. */
export function kernelFeatures(): KernelFeatures {
  const names = Object.keys(features) as Feature[];
  const found = Object.fromEntries(names.map((name) => [name, features[name]()])) as Record<Feature, boolean>;
  return { found, paths: pathsWith(found) };
}

export function pathsWith(found: Readonly<Record<'tcx' | 'decapL3', boolean>>): Paths {
  return {
    attach: found.tcx ? 'tcx' : 'clsact',
    otherFamily: found.decapL3 ? 'one step' : 'two steps',
  };
}
