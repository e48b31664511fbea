#!/usr/bin/env python3
"""make_segment_zh.py --- make segment_zh.gguf, the segmenter for Chinese (src/engine/token/segment.h).

usage: make_segment_zh.py DATA OUT.gguf
       make_segment_zh.py --measure DATA OUT.gguf SEGMENT_BENCH     (needs the python package jieba)

DATA holds, as the card segment_zh.md lists with their terms:
  jieba_dict/dict.txt.xz                          words and frequencies
  ud_chinese_gsd/zh_gsd-ud13-train.t2s.conllu.xz  sentences cut by hand, in simplified characters
  opencc/TSCharacters.txt                         traditional characters and their simplified ones
Nothing else goes into the model. Standard library only; the same bytes every time."""
import gzip
import lzma
import math
import os
import struct
import subprocess
import sys
from collections import Counter, defaultdict

VERSION = 1
TAG = dict(B=0, M=1, E=2, S=3)
NEVER = -30.0			# log probability of a step that is not there
LONGEST = 16			# characters of a dictionary word
# Chosen by the dev part of UD Chinese GSD:
DICTIONARY_POWER = 0.6	# weight of a dictionary word's characters: its frequency to this power
CORPUS_WEIGHT = 5		# of an occurrence in the corpus
STRETCH_WEIGHT = 200	# of a character in a stretch that the dictionary does not know
SMOOTH = 0.5
CORPUS_FREQUENCY = 200	# added to a word's frequency for each occurrence in the corpus


def read_conllu(path):
	"""Sentences as lists of words."""
	opener = lzma.open if path.endswith('.xz') else gzip.open
	words = []
	for line in opener(path, 'rt', encoding='utf-8'):
		line = line.rstrip('\n')
		if not line:
			if words:
				yield words
			words = []
		elif not line.startswith('#'):
			fields = line.split('\t')
			if fields[0].isdigit():
				words.append(fields[1])
	if words:
		yield words


def is_han(c):
	o = ord(c)
	return (0x3400 <= o <= 0x4dbf or 0x4e00 <= o <= 0x9fff or 0xf900 <= o <= 0xfaff or 0x20000 <= o <= 0x3ffff or
			o in (0x3005, 0x3007))


def read_fold(path):
	"""Character to what it is looked up as: one step, never a chain."""
	fold = {}
	for line in open(path, encoding='utf-8'):
		if '\t' in line:
			a, b = line.rstrip('\n').split('\t')
			b = b.split(' ')[0]
			if len(a) == 1 and len(b) == 1 and a != b:
				fold[a] = b
	fold['著'] = '着'		# both are written in simplified text; only one is there as a particle
	for i in range(26):
		fold[chr(65 + i)] = chr(97 + i)
		fold[chr(0xff21 + i)] = chr(97 + i)
		fold[chr(0xff41 + i)] = chr(97 + i)
	for i in range(10):
		fold[chr(0xff10 + i)] = chr(48 + i)
	for a in list(fold):
		while fold[a] in fold:
			fold[a] = fold[fold[a]]
		if fold[a] == a:
			del fold[a]
	return fold


def folded(fold, word):
	return ''.join(fold.get(c, c) for c in word)


def read_dictionary(path, fold):
	words = Counter()
	for line in lzma.open(path, 'rt', encoding='utf-8'):
		word, n = line.split(' ')[:2]
		words[folded(fold, word)] += int(n)
	return words


def tags(word):
	return 'S' if len(word) == 1 else 'B' + 'M' * (len(word) - 2) + 'E'


def put_array(out, key, code, fmt, values):
	key = key.encode()
	out += struct.pack('<Q', len(key)) + key + struct.pack('<IIQ', 9, code, len(values))
	out += bytes(values) if fmt == 'B' else struct.pack('<%d%s' % (len(values), fmt), *values)


def put_text(out, key, value):
	key, value = key.encode(), value.encode()
	out += struct.pack('<Q', len(key)) + key + struct.pack('<IQ', 8, len(value)) + value


def write_gguf(path, model, name):
	words = sorted(model['words'], key=lambda w: w.encode())
	chars = sorted(model['emit'])
	fold = sorted(model['fold'])
	out = bytearray()
	put_text(out, 'general.architecture', 'segmenter')
	put_text(out, 'general.name', name)
	put_text(out, 'general.version', str(VERSION))
	put_text(out, 'general.license', 'cc-by-sa-4.0')
	put_text(out, 'segmenter.language', 'zh')
	put_array(out, 'segmenter.words', 0, 'B', '\n'.join(words).encode())
	put_array(out, 'segmenter.frequencies', 4, 'I', [model['words'][w] for w in words])
	put_array(out, 'segmenter.hmm.start', 6, 'f', model['start'])
	put_array(out, 'segmenter.hmm.step', 6, 'f', model['step'])
	put_array(out, 'segmenter.hmm.chars', 4, 'I', [ord(c) for c in chars])
	put_array(out, 'segmenter.hmm.emit', 6, 'f', [p for c in chars for p in model['emit'][c]])
	put_array(out, 'segmenter.fold.from', 4, 'I', [ord(c) for c in fold])
	put_array(out, 'segmenter.fold.to', 4, 'I', [ord(model['fold'][c]) for c in fold])
	n_kv = 13
	head = b'GGUF' + struct.pack('<IQQ', 3, 0, n_kv)
	total = len(head) + len(out)
	with open(path, 'wb') as f:
		f.write(head + bytes(out) + bytes(-total % 32))


def cut_by_dictionary(costs, unknown, text):
	"""The cheapest path of dictionary words through a run of Han characters, as segment.c finds it."""
	best = [0.0] + [math.inf] * len(text)
	begin = [0] * (len(text) + 1)
	for i in range(len(text)):
		for j in range(i + 1, min(len(text), i + LONGEST) + 1):
			cost = costs.get(text[i:j], unknown if j == i + 1 else math.inf)
			if best[i] + cost < best[j]:
				best[j], begin[j] = best[i] + cost, i
	words, j = [], len(text)
	while j > 0:
		words.append(text[begin[j]:j])
		j = begin[j]
	return words[::-1]


def han_runs(sentence):
	"""Runs of words that are all Han."""
	run = []
	for word in sentence + ['']:
		if word and all(map(is_han, word)):
			run.append(word)
		elif run:
			yield run
			run = []


def unknown_stretches(dictionary, sentences):
	"""What the HMM will be asked: characters that stay single under the dictionary, two or more
	together, with the tags of the words that a person cut. Those whose first or last tag says that
	the word goes on outside are left out."""
	total = math.log(sum(dictionary.values()))
	costs = {w: total - math.log(n) for w, n in dictionary.items()}
	for sentence in sentences:
		for run in han_runs(sentence):
			gold = [t for w in run for t in tags(w)]
			at, stretch = 0, []
			for word in cut_by_dictionary(costs, total, ''.join(run)) + ['--']:
				if len(word) == 1:
					stretch.append((word, gold[at]))
				else:
					if len(stretch) > 1 and stretch[0][1] in 'BS' and stretch[-1][1] in 'ES':
						yield stretch
					stretch = []
				at += len(word)


def hmm(dictionary, sentences):
	"""Start, step and emission log probabilities of the tags, from the stretches that the dictionary
	does not know: there most characters are words by themselves, other than in the corpus at large.
	Emissions also from the dictionary's words and the corpus's, since stretches are few."""
	emit = defaultdict(lambda: [0.0] * 4)
	start, step = [0] * 4, [[0] * 4 for _ in range(4)]

	def count(word, weight):
		if all(map(is_han, word)):
			for c, t in zip(word, tags(word)):
				emit[c][TAG[t]] += weight

	for word, n in dictionary.items():
		count(word, n ** DICTIONARY_POWER)
	for sentence in sentences:
		for word in sentence:
			count(word, CORPUS_WEIGHT)
	for stretch in unknown_stretches(dictionary, sentences):
		start[TAG[stretch[0][1]]] += 1
		for c, t in stretch:
			emit[c][TAG[t]] += STRETCH_WEIGHT
		for (_, t), (_, u) in zip(stretch, stretch[1:]):
			step[TAG[t]][TAG[u]] += 1
	totals = [sum(e[t] for e in emit.values()) + SMOOTH * len(emit) for t in range(4)]
	log = lambda n, total: math.log(n / total) if n > 0 else NEVER
	return dict(start=[log(n, sum(start)) for n in start],
				step=[log(n, sum(row)) for row in step for n in row],
				emit={c: [math.log((n + SMOOTH) / total) for n, total in zip(e, totals)] for c, e in emit.items()})


def make(data):
	fold = read_fold(os.path.join(data, 'opencc/TSCharacters.txt'))
	words = read_dictionary(os.path.join(data, 'jieba_dict/dict.txt.xz'), fold)
	sentences = [[folded(fold, w) for w in s]
				 for s in read_conllu(os.path.join(data, 'ud_chinese_gsd/zh_gsd-ud13-train.t2s.conllu.xz'))]
	model = hmm(words, sentences)
	for sentence in sentences:
		for word in sentence:
			if all(map(is_han, word)):
				words[word] += CORPUS_FREQUENCY
	model['words'] = words
	model['fold'] = fold
	return model


# ---- measuring ----

def spans(words):
	at, result = 0, set()
	for w in words:
		result.add((at, at + len(w)))
		at += len(w)
	return result


def f1(gold, cut):
	good = n = m = 0
	for a, b in zip(gold, cut):
		assert ''.join(a) == ''.join(b), (a, b)
		a, b = spans(a), spans(b)
		good, n, m = good + len(a & b), n + len(a), m + len(b)
	return 200.0 * good / (n + m)


def test_sets(data):
	for name in ('pku', 'msr'):
		path = os.path.join(data, 'cws_zh/%s_dev.utf8.gz' % name)
		if os.path.exists(path):
			yield name, [line.split() for line in gzip.open(path, 'rt', encoding='utf-8') if line.split()]
	for name, file in (('gsd simplified', 'zh_gsdsimp-ud-dev'), ('gsd traditional', 'zh_gsd-ud-dev')):
		yield name, [[w.replace(' ', '') for w in s] for s in
					 read_conllu(os.path.join(data, 'ud_chinese_gsd/%s.conllu.gz' % file))]


def ours(bench, model, lines, *options):
	text = '\n'.join(''.join(words) for words in lines) + '\n'
	out = subprocess.run([bench, '--cut', *options, model], input=text.encode(), capture_output=True, check=True).stdout
	return [line.split() for line in out.decode().splitlines()]


def measure(data, model, bench):
	import jieba
	jieba.setLogLevel(60)
	for name, gold in test_sets(data):
		texts = [''.join(words) for words in gold]
		print('%-16s ours %.2f  without hmm %.2f   jieba %.2f  without hmm %.2f' % (
			name, f1(gold, ours(bench, model, gold)), f1(gold, ours(bench, model, gold, '--no-hmm')),
			f1(gold, [list(jieba.cut(t)) for t in texts]), f1(gold, [list(jieba.cut(t, HMM=False)) for t in texts])))


def main():
	if len(sys.argv) == 5 and sys.argv[1] == '--measure':
		measure(*sys.argv[2:])
	elif len(sys.argv) == 3:
		write_gguf(sys.argv[2], make(sys.argv[1]), 'segment_zh')
	else:
		sys.exit(__doc__)


if __name__ == '__main__':
	main()
