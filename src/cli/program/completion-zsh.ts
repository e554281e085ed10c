// The completion script of zsh: one function for each command, in the words of _arguments.

import type { Offer, OfferedOption, OfferedValue } from './offers.ts';

/** Returns a script for a file `_turnout` in a directory of `fpath`, or for `source`. */
export function zshScript(offers: readonly Offer[]): string {
  return `#compdef turnout
# Completes turnout in zsh; made by \`turnout completion zsh\`.
${offers.map(commandFunction).join('\n')}
if [[ $funcstack[1] == _turnout ]]; then
  _turnout "$@"
else
  compdef _turnout turnout
fi
`;
}

function commandFunction({ path, commands, options, argument }: Offer): string {
  const specs = options.flatMap(optionSpecs);
  if (commands.length === 0) {
    const first = argument === undefined ? [] : [quote(`1:${valueSpec(argument)}`)];
    const body = [...specs, ...first].map((spec) => ` \\\n    ${spec}`).join('');
    return `${nameOf(path)}() {\n  _arguments -s${body}\n}\n`;
  }
  const described = commands.map(({ name, text }) =>
    quote(`${name}:${text.replaceAll(':', '\\:')}`),
  );
  const cases = commands.map(({ name }) => `        ${name}) ${nameOf(`${path} ${name}`)} ;;`);
  return `${nameOf(path)}() {
  local line state
  _arguments -C${specs.map((spec) => ` \\\n    ${spec}`).join('')} \\
    '1: :->command' \\
    '*:: :->rest'
  case $state in
    command)
      local -a commands=(
        ${described.join('\n        ')}
      )
      _describe command commands ;;
    rest)
      case $line[1] in
${cases.join('\n')}
      esac ;;
  esac
}
`;
}

function nameOf(path: string): string {
  return `_${path.replaceAll(/[ -]/g, '_')}`;
}

function optionSpecs({ long, short, text, value }: OfferedOption): string[] {
  const what = `[${text.replaceAll(/[[\]\\]/g, '\\$&')}]`;
  const colon = value?.isOptional === true ? '::' : ':';
  const takes = value === undefined ? '' : `${colon}${valueSpec(value)}`;
  const names = short === undefined ? [long] : [long, short];
  return names.map((name) => quote(`${name}${what}${takes}`));
}

function valueSpec({ name, choices, isFile }: OfferedValue): string {
  const label = name.replaceAll(/[:|]/g, ' ');
  if (isFile) return `${label}:_files`;
  return choices.length === 0 ? `${label}: ` : `${label}:(${choices.join(' ')})`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
