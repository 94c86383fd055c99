/* Values of options that take more than a pattern to judge. What is wrong is a usage error that names the option. */
import { parseCidr, parseIp } from '../../model/addresses.js';
import { InvalidInput } from '../../model/errors.js';
import { UsageError } from '../../output/errors.js';

export function checkSubnets(option: string, values: readonly string[] = []): void {
  for (const value of values)
    check(`option ${option}`, value, parseCidr, 'give a subnet such as 10.10.0.0/24 or fd00::/64');
}

export function checkAddresses(option: string, values: readonly string[] = []): void {
  for (const value of values) checkAddress(`option ${option}`, value);
}

export function checkAddress(what: string, value: string): void {
  check(what, value, parseIp, 'give an IPv4 or IPv6 address such as 10.10.0.7');
}

function check(what: string, value: string, parse: (text: string) => unknown, hint: string): void {
  try {
    parse(value);
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    const reason = error.message.replace(/^.*?: /, '');
    throw new UsageError(`${what} ${value}: ${reason}`, error.hint ?? hint);
  }
}

/** As model/api.ts has it; said here, before anything is asked. */
export function checkName(what: string, value: string): void {
  if (/^[a-zA-Z0-9](?:[a-zA-Z0-9_.-]{0,61}[a-zA-Z0-9])?$/.test(value)) return;
  throw new UsageError(
    `${what} ${JSON.stringify(value)}: not a name`,
    'use 1 to 63 letters, digits, "-", "_" or ".", starting and ending with a letter or digit',
  );
}

/** As model/api.ts has it, too. */
export function checkInterface(option: string, value: string | undefined): void {
  if (value === undefined || /^(?!\.{1,2}$)[^\s/:]{1,15}$/.test(value)) return;
  throw new UsageError(
    `option ${option} ${JSON.stringify(value)}: not an interface name`,
    'use 1 to 15 characters without spaces, "/" or ":"',
  );
}
