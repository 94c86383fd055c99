/** So that what `process.once('exit', …)` takes away is taken away when somebody ends this program, too. */
export function exitOnSignals(): void {
  process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143));
}
