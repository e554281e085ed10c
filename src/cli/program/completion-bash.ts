// The completion script of bash: one function that finds the command and offers words.

import type { Offer, OfferedValue } from './offers.ts';

/** Returns a script for `source` or for /etc/bash_completion.d; needs bash 4 and nothing else. */
export function bashScript(offers: readonly Offer[]): string {
  const paths = offers.slice(1).map(({ path }) => `"${path}"`);
  return `# Completes turnout in bash; made by \`turnout completion bash\`.
_turnout() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" path=turnout i
  # bash takes --option=value for three words.
  if [[ $cur == '=' ]]; then
    cur=
  elif [[ $prev == '=' ]]; then
    prev="\${COMP_WORDS[COMP_CWORD-2]}"
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$path \${COMP_WORDS[i]}" in
      ${paths.join('|')}) path="$path \${COMP_WORDS[i]}" ;;
    esac
  done
  COMPREPLY=()
  case "$path $prev" in
${offers.flatMap(valueCases).join('\n')}
  esac
  local options= words= files=
  case "$path" in
${offers.map(pathCase).join('\n')}
  esac
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$cur"))
  else
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
    [[ -z $files ]] || { compopt -o filenames 2>/dev/null; COMPREPLY+=($(compgen -f -- "$cur")); }
  fi
}
complete -F _turnout turnout
`;
}

function valueCases({ path, options }: Offer): string[] {
  return options.flatMap(({ long, short, value }) => {
    // Where a value may be left out, another option may follow as well.
    if (value === undefined || (value.isOptional && value.choices.length === 0)) return [];
    const names = [long, ...(short === undefined ? [] : [short])];
    const pattern = names.map((name) => `"${path} ${name}"`).join('|');
    const guard = value.isOptional ? '[[ $cur == -* ]] || ' : '';
    return [`    ${pattern}) ${guard}{ ${offerValue(value)} return; } ;;`];
  });
}

function offerValue({ choices, isFile }: OfferedValue): string {
  if (isFile) {
    return 'compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur"));';
  }
  if (choices.length === 0) return '';
  return `COMPREPLY=($(compgen -W "${choices.join(' ')}" -- "$cur"));`;
}

function pathCase({ path, commands, options, argument }: Offer): string {
  const names = options.flatMap(({ long, short }) =>
    short === undefined ? [long] : [long, short],
  );
  const words = [...commands.map(({ name }) => name), ...(argument?.choices ?? [])];
  const files = argument?.isFile === true ? ' files=1' : '';
  return `    "${path}") options="${names.join(' ')}" words="${words.join(' ')}"${files} ;;`;
}
