/*
 * What this kernel has, and which way the datapath takes because of it. Each answer comes from a probe that does the
 * thing: distributions backport, so a version says little.
 */
import { features } from 'libbpf-ts-bindings';

export type Feature = keyof typeof features;

export interface Paths {
  /** How programs hang on devices. */
  readonly attach: 'tcx' | 'clsact';
  /** How a frame of the other IP family than the underlay's is delivered: the veth reads its Ethernet header anew. */
  readonly otherFamily: 'direct' | 'veth';
  /** GSO aggregates of the other family: without the kernel's flags they are the vxlan device's. */
  readonly otherFamilyGso: 'direct' | 'vxlan device';
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
    otherFamily: found.decapL3 ? 'direct' : 'veth',
    otherFamilyGso: found.decapL3 ? 'direct' : 'vxlan device',
  };
}
