/**
 * Errors that people see. One class per cause, each with a `code` that scripts and the HTTP API can rely on;
 * messages read "verb object: cause". `isTransient` says that the same request may succeed later unchanged.
 */

/** Base of all our errors. `hint` says what to do instead, when there is something. */
export class PlaitError extends Error {
  readonly code: string;
  readonly isTransient: boolean;
  readonly hint: string | undefined;

  constructor(
    code: string,
    message: string,
    options: { isTransient?: boolean; hint?: string | undefined; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.isTransient = options.isTransient ?? false;
    this.hint = options.hint;
  }
}

/** What was asked for makes no sense by itself: syntax, ranges, combinations. */
export class InvalidInput extends PlaitError {
  constructor(message: string, hint?: string) {
    super('INVALID_INPUT', message, { hint });
  }
}

export class NotFound extends PlaitError {
  constructor(
    readonly what: string,
    readonly ref: string,
  ) {
    super('NOT_FOUND', `find ${what} ${ref}: no such ${what}`);
  }
}

/** An id prefix or a name that fits several records. */
export class Ambiguous extends PlaitError {
  constructor(
    readonly what: string,
    readonly ref: string,
    readonly candidates: readonly string[],
  ) {
    super('AMBIGUOUS', `find ${what} ${ref}: matches ${candidates.length}: ${candidates.join(', ')}`, {
      hint: 'give more characters of the id',
    });
  }
}

export class NameTaken extends PlaitError {
  constructor(
    readonly what: string,
    readonly taken: string,
    readonly holder: string,
  ) {
    super('NAME_TAKEN', `create ${what} ${taken}: name is taken by ${holder}`, {
      hint: what === 'node' ? 'start the agent with another --name' : 'choose another name',
    });
  }
}

export class VniTaken extends PlaitError {
  constructor(
    readonly vni: number,
    readonly holder: string,
  ) {
    super('VNI_TAKEN', `take vni ${vni}: network ${holder} has it`);
  }
}

export class VnisExhausted extends PlaitError {
  constructor() {
    super('VNIS_EXHAUSTED', 'create network: every vni from 4096 up is taken');
  }
}

export class AddressTaken extends PlaitError {
  constructor(
    readonly address: string,
    readonly network: string,
    readonly holder: string,
  ) {
    super('ADDRESS_TAKEN', `take address ${address} of network ${network}: ${holder} has it`);
  }
}

/** Two nodes would be sent each other's packets. */
export class VtepTaken extends PlaitError {
  constructor(
    readonly vtep: string,
    readonly holder: string,
  ) {
    super('VTEP_TAKEN', `register node at ${vtep}: ${holder} is alive and has that address`, {
      hint: 'start the agent with another --advertise-addr, or stop the other one and wait 15 s',
    });
  }
}

export class MacTaken extends PlaitError {
  constructor(
    readonly mac: string,
    readonly network: string,
    readonly holder: string,
  ) {
    super('MAC_TAKEN', `take mac ${mac} on network ${network}: ${holder} has it`);
  }
}

export class RangeFull extends PlaitError {
  constructor(
    readonly network: string,
    readonly range: string,
    readonly used: number,
  ) {
    super('RANGE_FULL', `allocate address on network ${network}: range ${range} is full, ${used} in use`, {
      hint: 'detach endpoints, or create a network with a bigger subnet',
    });
  }
}

export class SubnetOverlap extends PlaitError {
  constructor(
    readonly subnet: string,
    readonly overlaps: string,
  ) {
    super('SUBNET_OVERLAP', `use subnet ${subnet}: it overlaps ${overlaps}`, {
      hint: 'choose another --subnet, or leave it out to get a free one',
    });
  }
}

export class PoolExhausted extends PlaitError {
  constructor(readonly pool: string) {
    super('POOL_EXHAUSTED', `choose subnet: no free one left in the default pool ${pool}`, {
      hint: 'name one with --subnet',
    });
  }
}

export class NetworkInUse extends PlaitError {
  constructor(
    readonly network: string,
    readonly endpoints: readonly string[],
    readonly total: number,
  ) {
    const names = endpoints.join(', ') + (total > endpoints.length ? ', …' : '');
    super('NETWORK_IN_USE', `remove network ${network}: ${total} endpoint(s) on it: ${names}`, {
      hint: 'detach them first',
    });
  }
}

/** etcd did not answer, or has no leader. Nothing is known about what became of the request. */
export class StoreUnavailable extends PlaitError {
  constructor(message: string, cause?: unknown) {
    super('STORE_UNAVAILABLE', message, { isTransient: true, cause });
  }
}

/** Somebody else changed the same things at the same time, again and again. */
export class StoreConflict extends PlaitError {
  constructor(message: string) {
    super('STORE_CONFLICT', message, { isTransient: true });
  }
}

/** etcd refused the request itself: permission, size, quota. */
export class StoreRefused extends PlaitError {
  constructor(message: string, cause?: unknown, hint?: string) {
    super('STORE_REFUSED', message, { cause, hint });
  }
}

/** A value in etcd that is not what its key promises. */
export class BadRecord extends PlaitError {
  constructor(
    readonly key: string,
    reason: string,
  ) {
    super('BAD_RECORD', `read ${key}: ${reason}`);
  }
}
