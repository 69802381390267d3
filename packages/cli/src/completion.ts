/** Completion in shells: scripts that know the commands and their options. */
import type { Command } from "commander";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

interface Known {
  readonly name: string;
  readonly description: string;
  readonly options: readonly {
    readonly flag: string;
    readonly description: string;
    readonly choices: readonly string[];
  }[];
}

/** What a shell must know, taken from the commands themselves. */
function known(program: Command): readonly Known[] {
  return program.commands.map((command) => ({
    name: command.name(),
    description: command.description(),
    options: command.options.flatMap(({ long, short, description, argChoices }) =>
      [long, short].flatMap((flag) => (flag === undefined ? [] : [{ flag, description, choices: argChoices ?? [] }])),
    ),
  }));
}

export function completionScript(program: Command, shell: Shell): string {
  const commands = known(program);
  switch (shell) {
    case "bash":
      return bash(commands);
    case "zsh":
      return `#compdef torte\nautoload -U +X bashcompinit && bashcompinit\n${bash(commands)}`;
    case "fish":
      return fish(commands);
  }
}

/** Of the word before, its choices; else options where a word begins with a dash; else commands, or files. */
function bash(commands: readonly Known[]): string {
  const choices = new Map(
    commands.flatMap(({ options }) =>
      options.flatMap(({ flag, choices: all }) => (all.length === 0 ? [] : [[flag, all] as const])),
    ),
  );
  const cases = commands.map(
    ({ name, options }) => `    ${name}) words="${options.map(({ flag }) => flag).join(" ")} --help" ;;`,
  );
  return `_torte() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${commands.map(({ name }) => name).join(" ")} help --help --version" -- "$word"))
    return
  fi
  case "$before" in
${[...choices].map(([flag, all]) => `    ${flag}) COMPREPLY=($(compgen -W "${all.join(" ")}" -- "$word")); return ;;`).join("\n")}
  esac
  case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
  esac
  case "$word" in
    -*) COMPREPLY=($(compgen -W "$words" -- "$word")) ;;
    *) COMPREPLY=($(compgen -f -- "$word")) ;;
  esac
}
complete -o filenames -F _torte torte
`;
}

function fish(commands: readonly Known[]): string {
  const quoted = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  return [
    ...commands.map(
      ({ name, description }) => `complete -c torte -n __fish_use_subcommand -a ${name} -d ${quoted(description)}`,
    ),
    ...commands.flatMap(({ name, options }) =>
      options.map(({ flag, description, choices }) => {
        const kind = flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`;
        const values = choices.length === 0 ? "" : ` -x -a ${quoted(choices.join(" "))}`;
        return `complete -c torte -n '__fish_seen_subcommand_from ${name}' ${kind} -d ${quoted(description)}${values}`;
      }),
    ),
    "",
  ].join("\n");
}
