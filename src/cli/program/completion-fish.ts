// The completion script of fish: one line for each word that may stand behind a command.

import type { Offer, OfferedValue } from './offers.ts';

/** Returns a script for ~/.config/fish/completions/turnout.fish. */
export function fishScript(offers: readonly Offer[]): string {
  const paths = offers.slice(1).map(({ path }) => quote(path));
  return `# Completes turnout in fish; made by \`turnout completion fish\`.
function __turnout_path
  set -l path turnout
  for word in (commandline -opc)[2..]
    if contains -- "$path $word" ${paths.join(' ')}
      set path "$path $word"
    end
  end
  echo $path
end
complete -c turnout -f
${offers.flatMap(linesOf).join('\n')}
`;
}

function linesOf({ path, commands, options, argument }: Offer): string[] {
  const head = `complete -c turnout -n ${quote(`test (__turnout_path) = ${quote(path)}`)}`;
  return [
    ...commands.map(({ name, text }) => `${head} -a ${name} -d ${quote(text)}`),
    ...(argument === undefined ? [] : argumentLine(head, argument)),
    ...options.map(({ long, short, text, value }) => {
      const names = `-l ${long.slice(2)}${short === undefined ? '' : ` -s ${short.slice(1)}`}`;
      return `${head} ${names}${valueOf(value)} -d ${quote(text)}`;
    }),
  ];
}

function argumentLine(head: string, { choices, isFile }: OfferedValue): string[] {
  if (isFile) return [`${head} -F`];
  return choices.length === 0 ? [] : [`${head} -a ${quote(choices.join(' '))}`];
}

function valueOf(value: OfferedValue | undefined): string {
  if (value === undefined) return '';
  if (value.isFile) return ' -r -F';
  const choices = value.choices.length === 0 ? '' : ` -a ${quote(value.choices.join(' '))}`;
  return `${value.isOptional ? '' : ' -x'}${choices}`;
}

function quote(text: string): string {
  return `'${text.replaceAll(/['\\]/g, '\\$&')}'`;
}
