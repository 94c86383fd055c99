/* The rows of a map that is replaced by one of another size. */
import { BpfMap, u32 } from 'libbpf-ts-bindings';
import { PlaitError } from '../model/errors.js';

type Layout = Pick<BpfMap, 'type' | 'keySize' | 'valueSize'>;

export function sameLayout(a: Layout, b: Layout): boolean {
  return a.type === b.type && a.keySize === b.keySize && a.valueSize === b.valueSize;
}

/** Nothing where the layout is another one, and no samples. MAP_TOO_SMALL before anything is written. */
export function copyRows(old: BpfMap, fresh: BpfMap): void {
  if (!sameLayout(fresh, old) || old.type === 'ringbuf') return;
  const { keys, values, count } = old.lookupAll();
  if (count === 0) return;
  if (!old.type.includes('array') && count > fresh.maxEntries) {
    const cause = `${count} rows are in use`;
    throw new PlaitError('MAP_TOO_SMALL', `give map ${fresh.name} ${fresh.maxEntries} rows: ${cause}`, {
      hint: 'give it more, or detach endpoints first',
    });
  }
  if (old.type === 'hash_of_maps') {
    copyInner(keys, values, count, fresh);
    return;
  }
  const rows = Math.min(count, fresh.maxEntries);
  const valueBytes = values.length / count;
  fresh.updateBatch(keys.subarray(0, rows * old.keySize), values.subarray(0, rows * valueBytes), rows);
}

/** Reading an outer map yields ids; the arrays behind them are the same ones as before. */
function copyInner(keys: Buffer, ids: Buffer, count: number, fresh: BpfMap): void {
  for (let at = 0; at < count; at++) {
    const inner = BpfMap.fromId(u32.decode(ids, at * u32.size));
    try {
      fresh.update(keys.subarray(at * u32.size, (at + 1) * u32.size), inner);
    } finally {
      inner.close();
    }
  }
}
