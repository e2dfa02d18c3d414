import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { plainText, readInline, readMarkdown, type Block } from '../src/groups/markdown';

const text = (words: string) => ({ kind: 'text', text: words });
const paragraph = (words: string) => ({ kind: 'paragraph', children: [text(words)] });

describe('blocks', () => {
  test('headings, paragraphs and lines across', () => {
    expect(readMarkdown('# One ##\ntwo\nthree\n\n---\n####### no heading\n#nor this')).toEqual([
      { kind: 'heading', level: 1, children: [text('One')] },
      paragraph('two three'),
      { kind: 'rule' },
      paragraph('####### no heading #nor this'),
    ]);
  });

  test('lists, with paragraphs and lists inside', () => {
    const [list, after] = readMarkdown('- one\nstill one\n- two\n\n  more\n  1. a\n  2. b\n\nafter');
    expect(list).toEqual({
      kind: 'list',
      start: null,
      items: [
        [paragraph('one still one')],
        [
          paragraph('two'),
          paragraph('more'),
          { kind: 'list', start: 1, items: [[paragraph('a')], [paragraph('b')]] },
        ],
      ],
    });
    expect(after).toEqual(paragraph('after'));
  });

  test('a numbered list keeps the number it begins with', () => {
    expect(readMarkdown('3. c\n4. d')[0]).toMatchObject({ kind: 'list', start: 3 });
  });

  test('line breaks where they are asked for', () => {
    expect(readMarkdown('one  \ntwo\\\nthree\nfour')[0]).toEqual({
      kind: 'paragraph',
      children: [text('one'), { kind: 'break' }, text('two'), { kind: 'break' }, text('three four')],
    });
  });
});

describe('inside a line', () => {
  test('bold, italic, both', () => {
    expect(readInline('a **b *c* d** _e_')).toEqual([
      text('a '),
      { kind: 'strong', children: [text('b '), { kind: 'emphasis', children: [text('c')] }, text(' d')] },
      text(' '),
      { kind: 'emphasis', children: [text('e')] },
    ]);
    expect(readInline('***x***')).toEqual([
      { kind: 'strong', children: [{ kind: 'emphasis', children: [text('x')] }] },
    ]);
  });

  test.each(['2 * 3 * 4', 'snake_case_name', '**never closed', '*a **b* c**x', '****', '[x](y', '\\', '**'])(
    'no word of %j is lost',
    (words) => {
      const read = plainText([{ kind: 'paragraph', children: readInline(words) }]);
      expect(read.replaceAll(/[*_]/g, '')).toBe(words.replaceAll(/[*_]/g, ''));
    },
  );

  test('what is escaped is text', () => {
    expect(readInline('\\*\\*A\\_b\\*\\* \\<i\\> \\a')).toEqual([text('**A_b** <i> \\a')]);
  });

  test('HTML is text', () => {
    const html = '<img src=x onerror=alert(1)> &amp; <b>x</b>';
    expect(readInline(html)).toEqual([text(html)]);
  });

  test('links to https only', () => {
    expect(readInline('[here *x*](https://example.org/a?b=c).')).toEqual([
      {
        kind: 'link',
        url: 'https://example.org/a?b=c',
        children: [text('here '), { kind: 'emphasis', children: [text('x')] }],
      },
      text('.'),
    ]);
    for (const address of [
      'javascript:alert(1)',
      'JAVASCRIPT:alert(1)',
      'http://example.org',
      'data:text/html,x',
      '/api',
      '//example.org',
      'https:example.org',
      ' https://example.org',
      'https://example.org" onclick="x',
    ]) {
      expect(readInline(`[a](${address})`)).toEqual([text(`[a](${address})`)]);
    }
    expect(readInline('![a](https://example.org)')[0]).toEqual(text('!'));
  });
});

test('long and hostile texts are read at once', () => {
  const started = performance.now();
  for (const one of ['*a ', '**a _b ', '[', '[a](https://', '\\', '***a* ', '_', '- ', '  - x\n', '> ', '1. ']) {
    readMarkdown(one.repeat(Math.floor(50_000 / one.length)));
  }
  const deep = Array.from({ length: 300 }, (_, at) => `${'  '.repeat(at)}- x`).join('\n');
  readMarkdown(deep);
  expect(performance.now() - started).toBeLessThan(3_000);
});

const folder = new URL('../../config/guidelines/', import.meta.url);
test.each(readdirSync(folder))('%s is shown to its last word', (name) => {
  const source = readFileSync(new URL(name, folder), 'utf8');
  const blocks = readMarkdown(source);
  const words = (all: string) => all.match(/[\p{L}\p{N}]+/gu);
  expect(words(plainText(blocks))).toEqual(words(source));
  expect(plainText(blocks)).not.toMatch(/\*\*|^#|^- /m);
  const kinds = new Set(blocks.map((block: Block) => block.kind));
  expect(kinds.has('heading') && kinds.has('paragraph')).toBe(true);
});
