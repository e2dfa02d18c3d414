/**
 * The part of Markdown that agreements are written in, read into a tree that components show.
 *
 * There are headings, paragraphs, lists, lines across, bold, italic and links to https addresses.
 * All else, HTML among it, is text: what people sign is shown to them to the last word.
 */

export type Inline =
  | { kind: 'text'; text: string }
  | { kind: 'break' }
  | { kind: 'strong' | 'emphasis'; children: Inline[] }
  | { kind: 'link'; url: string; children: Inline[] };

export type Block =
  | { kind: 'heading'; level: number; children: Inline[] }
  | { kind: 'paragraph'; children: Inline[] }
  | { kind: 'list'; start: number | null; items: Block[][] }
  | { kind: 'rule' };

/** Deeper lists are shown as text. */
const MAX_DEPTH = 6;

const HEADING = /^ {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$/;
const RULE = /^ {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])([ \t]+)(?=\S)/;

export function readMarkdown(text: string): Block[] {
  return readBlocks(text.replace(/\r\n?/g, '\n').replace(/\t/g, '    ').split('\n'), 0);
}

function isBlank(line: string): boolean {
  return line.trim() === '';
}

function startsBlock(line: string): boolean {
  return HEADING.test(line) || RULE.test(line) || ITEM.test(line);
}

function readBlocks(lines: string[], depth: number): Block[] {
  const blocks: Block[] = [];
  let paragraph: string[] = [];
  function endParagraph() {
    if (paragraph.length === 0) return;
    blocks.push({ kind: 'paragraph', children: readInline(joined(paragraph)) });
    paragraph = [];
  }
  for (let at = 0; at < lines.length; ) {
    const line = lines[at] ?? '';
    const heading = HEADING.exec(line);
    if (isBlank(line)) {
      endParagraph();
      at += 1;
    } else if (heading) {
      endParagraph();
      const level = heading[1]?.length ?? 1;
      blocks.push({ kind: 'heading', level, children: readInline(heading[2] ?? '') });
      at += 1;
    } else if (RULE.test(line)) {
      endParagraph();
      blocks.push({ kind: 'rule' });
      at += 1;
    } else if (depth < MAX_DEPTH && ITEM.test(line)) {
      endParagraph();
      const read = readList(lines, at, depth);
      blocks.push(read.list);
      at = read.end;
    } else {
      paragraph.push(line);
      at += 1;
    }
  }
  endParagraph();
  return blocks;
}

/** The lines of a paragraph; two spaces or a backslash at a line's end stay a line break. */
function joined(lines: string[]): string {
  return lines
    .map((line, at) => {
      const text = line.trim();
      if (at === lines.length - 1) return text;
      if (/ {2,}$/.test(line)) return `${text}\n`;
      return /(^|[^\\])(\\\\)*\\$/.test(text) ? `${text.slice(0, -1)}\n` : `${text} `;
    })
    .join('');
}

function markOf(line: string): { mark: string; number: number | null; indent: number } | null {
  const item = ITEM.exec(line);
  const sign = item?.[2];
  if (item === null || sign === undefined) return null;
  const number = /^\d/.test(sign) ? Number.parseInt(sign, 10) : null;
  // More than four spaces after the sign would be a code block, which there is none of here.
  return { mark: sign.slice(-1), number, indent: item[0].length };
}

function readList(lines: string[], from: number, depth: number): { list: Block; end: number } {
  const first = markOf(lines[from] ?? '');
  const items: Block[][] = [];
  let at = from;
  for (;;) {
    const line = lines[at];
    const mark = line === undefined || RULE.test(line) ? null : markOf(line);
    if (line === undefined || mark === null || mark.mark !== first?.mark) break;
    const inside = [line.slice(mark.indent)];
    at += 1;
    while (at < lines.length) {
      const next = lines[at] ?? '';
      const isInside = next.length - next.trimStart().length >= mark.indent;
      const isLazy = !isBlank(inside.at(-1) ?? '') && !startsBlock(next);
      if (!isBlank(next) && !isInside && !isLazy) break;
      inside.push(isInside ? next.slice(mark.indent) : next.trimStart());
      at += 1;
    }
    items.push(readBlocks(inside, depth + 1));
  }
  return { list: { kind: 'list', start: first?.number ?? null, items }, end: at };
}

type Mark = '*' | '**' | '_' | '__';
interface Opened {
  mark: Mark;
  children: Inline[];
}

const ESCAPED = /\\([!-/:-@[-`{-~])/y;
const LINK = /\[((?:\\.|[^[\]\\\n])+)\]\((https:\/\/[^\s()<>\\]+)\)/y;
const PLAIN = /[^\\[*_\n]+/y;

export function readInline(text: string, links = true): Inline[] {
  const top: Inline[] = [];
  // Emphasis that is open, outermost first: each mark at most once, so this is never deep.
  const open: Opened[] = [];
  const here = () => open.at(-1)?.children ?? top;
  const take = (pattern: RegExp, from: number) => {
    pattern.lastIndex = from;
    return pattern.exec(text);
  };

  function add(words: string) {
    const list = here();
    const last = list.at(-1);
    if (last?.kind === 'text') last.text += words;
    else if (words !== '') list.push({ kind: 'text', text: words });
  }

  /** What was opened after the `left`-th and never closed, was no emphasis. */
  function giveUp(left: number) {
    for (const { mark, children } of open.splice(left)) {
      add(mark);
      for (const child of children) {
        if (child.kind === 'text') add(child.text);
        else here().push(child);
      }
    }
  }

  function marks(sign: '*' | '_', from: number, length: number) {
    const before = text[from - 1] ?? ' ';
    const after = text[from + length] ?? ' ';
    const isWord = (char: string) => /[\p{L}\p{N}]/u.test(char);
    const inWord = sign === '_' && isWord(before) && isWord(after);
    const opens = !/\s/.test(after) && !inWord;
    const closes = !/\s/.test(before) && !inWord;
    let left = length;
    while (closes && left > 0) {
      const at = open.findLastIndex(({ mark }) => mark.startsWith(sign) && mark.length <= left);
      const closed = open[at];
      if (closed === undefined || (closed.children.length === 0 && at === open.length - 1)) break;
      giveUp(at + 1);
      open.pop();
      const kind = closed.mark.length === 2 ? 'strong' : 'emphasis';
      here().push({ kind, children: closed.children });
      left -= closed.mark.length;
    }
    while (opens && left > 0) {
      const mark: Mark = left < 2 ? sign : sign === '*' ? '**' : '__';
      if (open.some((one) => one.mark === mark)) break;
      open.push({ mark, children: [] });
      left -= mark.length;
    }
    add(sign.repeat(left));
  }

  for (let at = 0; at < text.length; ) {
    const char = text[at] ?? '';
    const plain = take(PLAIN, at);
    const escaped = take(ESCAPED, at);
    const link = links ? take(LINK, at) : null;
    if (plain) {
      add(plain[0]);
      at += plain[0].length;
    } else if (escaped) {
      add(escaped[1] ?? '');
      at += escaped[0].length;
    } else if (link) {
      const url = link[2] ?? '';
      here().push({ kind: 'link', url, children: readInline(link[1] ?? '', false) });
      at += link[0].length;
    } else if (char === '*' || char === '_') {
      let length = 1;
      while (text[at + length] === char) length += 1;
      if (length > 3) add(char.repeat(length));
      else marks(char, at, length);
      at += length;
    } else {
      if (char === '\n') here().push({ kind: 'break' });
      else add(char);
      at += 1;
    }
  }
  giveUp(0);
  return top;
}

/** The words alone, as they are read out. */
export function plainText(blocks: readonly Block[]): string {
  const words = (children: readonly Inline[]): string =>
    children
      .map((one) => {
        if (one.kind === 'text') return one.text;
        return one.kind === 'break' ? '\n' : words(one.children);
      })
      .join('');
  return blocks
    .map((block) => {
      if (block.kind === 'rule') return '';
      if (block.kind === 'list') return block.items.map(plainText).join('\n');
      return words(block.children);
    })
    .join('\n');
}
