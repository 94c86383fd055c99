/* plait(8), from what the commands say of themselves. */

/** @param plait runs the command and returns what it prints */
export function manPage(plait: (...words: string[]) => string, version: string, date: number): string {
  const day = new Date(date * 1000).toISOString().slice(0, 10);
  const general = plait('--help');
  const sections = commandsOf(general).map((command) => {
    const help = plait(command, '--help');
    const nested = commandsOf(help).map((child) =>
      block(`plait ${command} ${child}`, plait(command, child, '--help')),
    );
    return block(`plait ${command}`, help) + nested.join('');
  });
  return `.TH PLAIT 8 ${day} "plait ${version}" "System administration"
.SH NAME
plait \\- container overlay networks: VXLAN in eBPF
.SH DESCRIPTION
${verbatim(general)}
.SH COMMANDS
${sections.join('')}`;
}

function block(title: string, help: string): string {
  return `.SS ${title}\n${verbatim(help)}\n`;
}

/** The names under "Commands:", without `help`, which has nothing of its own. */
function commandsOf(help: string): string[] {
  const [, list = ''] = /^Commands:\n((?: .*\n|\n)*)/m.exec(help) ?? [];
  return [...list.matchAll(/^ {2}([a-z]+)/gm)].flatMap(([, name]) =>
    name === undefined || name === 'help' ? [] : name,
  );
}

/** Lines as they are: backslashes, and dots and quotes at a line's start, mean something to troff. */
function verbatim(text: string): string {
  const escaped = text
    .trimEnd()
    .replace(/\\/g, '\\e')
    .replace(/-/g, '\\-')
    .replace(/^([.'])/gm, '\\&$1');
  return `.nf\n${escaped}\n.fi`;
}
