import { command, type Argument, type Command, type Flag } from "./command.ts";
import { EXIT } from "./exit.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;

/** @param commands every command, this one among them */
export function completionCommand(commands: () => readonly Command[]): Command {
  return command({
    name: "completion",
    summary: "print a script that completes commands and flags in a shell",
    notes: [
      "bash: pubsub completion bash > ~/.local/share/bash-completion/completions/pubsub\nzsh:  pubsub completion zsh > a file _pubsub in a folder of $fpath\nfish: pubsub completion fish > ~/.config/fish/completions/pubsub.fish",
    ],
    args: [{ name: "SHELL", choices: SHELLS }],
    needs: `a shell: ${SHELLS.join(", ")}`,
    flags: {},
    example: "completion bash",
    exits: ["done", "usage"],
    async run({ args: [shell] }, context) {
      await context.print(completionScript(shell ?? "", commands()));
      return EXIT.done;
    },
  });
}

/** The script for a shell that completes commands, flags, their values and files. */
export function completionScript(shell: string, commands: readonly Command[]): string {
  if (shell === "bash") return bash(commands);
  return shell === "zsh" ? zsh(commands) : fish(commands);
}

function flagNames({ flags }: Command): string[] {
  return [...flags.map(({ name }) => name), "--help"];
}

/** The words that an argument may be, of the first that has some. */
function choicesOf({ args }: Command): readonly string[] {
  return args.find(({ choices }) => choices !== undefined)?.choices ?? [];
}

/** Whether the value of a flag is the path of a file. */
function isFile({ name }: Flag): boolean {
  return name.endsWith("-file");
}

function takesFile(args: readonly Argument[]): boolean {
  return args.some((argument) => argument.isFile === true);
}

/** A word in single quotes, as each of the shells reads it. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The first command need not be named: its flags stand without one. */
function firstFlags([first]: readonly Command[]): string[] {
  return [...(first === undefined ? [] : flagNames(first)), "--version"];
}

/** Flags with a value, each name once: those of files, those of few values, and the rest. */
function valuedFlags(commands: readonly Command[]) {
  const all = commands.flatMap(({ flags }) => flags).filter(({ value }) => value !== undefined);
  const once = [...new Map(all.map((flag) => [flag.name, flag])).values()];
  const names = (flags: readonly Flag[]) => flags.map(({ name }) => name);
  return { files: names(once.filter(isFile)), others: names(once.filter((flag) => !isFile(flag))) };
}

function bash(commands: readonly Command[]): string {
  const { files, others } = valuedFlags(commands);
  const names = commands.map(({ name }) => name);
  const cases = commands.map((one) => {
    const words = takesFile(one.args) ? "compopt -o default" : `words=${quoted(choicesOf(one).join(" "))}`;
    return `    ${one.name}) flags=${quoted(flagNames(one).join(" "))}; ${words} ;;`;
  });
  return `# Completion of pubsub for bash.
_pubsub() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} command='' flags='' words='' word
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in ${names.join("|")}) command=$word; break ;; esac
  done
  case $before in
    ${files.join("|")}) compopt -o default; return ;;
    ${others.join("|")}) return ;;
  esac
  case $command in
    '') flags=${quoted(firstFlags(commands).join(" "))}; words=${quoted(names.join(" "))} ;;
${cases.join("\n")}
  esac
  case $current in
    -*) compopt +o default; COMPREPLY=($(compgen -W "$flags" -- "$current")) ;;
    *) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
  esac
}
complete -F _pubsub pubsub`;
}

function zsh(commands: readonly Command[]): string {
  const { files, others } = valuedFlags(commands);
  const cases = commands.map((one) => {
    const words = takesFile(one.args) ? "files=1" : `words_here=(${choicesOf(one).join(" ")})`;
    return `    ${one.name}) flags=(${flagNames(one).join(" ")}); ${words} ;;`;
  });
  const described = commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary.replaceAll(":", "\\:")}`)}`);
  return `#compdef pubsub
# Completion of pubsub for zsh.
_pubsub() {
  local command='' word files=''
  local -a flags words_here commands
  commands=(
${described.join("\n")}
  )
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case $word in (${commands.map(({ name }) => name).join("|")}) command=$word; break ;; esac
  done
  case $words[CURRENT-1] in
    (${files.join("|")}) _files; return ;;
    (${others.join("|")}) return 1 ;;
  esac
  case $command in
    '') flags=(${firstFlags(commands).join(" ")}) ;;
${cases.join("\n")}
  esac
  if [[ $words[CURRENT] == -* ]]; then
    compadd -- $flags
  elif [[ -z $command ]]; then
    _describe command commands
  elif [[ -n $files ]]; then
    _files
  else
    compadd -- $words_here
  fi
}
if [[ \${funcstack[1]} == _pubsub ]]; then _pubsub "$@"; else compdef _pubsub pubsub; fi`;
}

function fish(commands: readonly Command[]): string {
  const names = commands.map(({ name }) => name).join(" ");
  const lines = ["# Completion of pubsub for fish.", "complete -c pubsub -f"];
  const without = `not __fish_seen_subcommand_from ${names}`;
  for (const [index, one] of commands.entries()) {
    lines.push(`complete -c pubsub -n ${quoted(without)} -a ${one.name} -d ${quoted(one.summary)}`);
    const seen = `__fish_seen_subcommand_from ${one.name}`;
    const condition = index === 0 ? `${seen}; or ${without}` : seen;
    for (const flag of one.flags) {
      const value = flag.value === undefined ? "" : isFile(flag) ? " -r -F" : " -x";
      lines.push(`complete -c pubsub -n ${quoted(condition)} -l ${flag.name.slice(2)}${value} -d ${quoted(flag.help)}`);
    }
    if (takesFile(one.args)) lines.push(`complete -c pubsub -n ${quoted(seen)} -F`);
    const choices = choicesOf(one);
    if (choices.length > 0) lines.push(`complete -c pubsub -n ${quoted(seen)} -a ${quoted(choices.join(" "))}`);
  }
  lines.push(
    "complete -c pubsub -l help -d 'say what there is'",
    "complete -c pubsub -l version -d 'say which version it is'",
  );
  return lines.join("\n");
}
