#!/usr/bin/env python3
"""Write segment_gsd.txt: sentences cut by hand, for a floor under the shipped segmenter.

usage: make_segment.py DATA OUT    DATA/ud_chinese_gsd/{zh_gsdsimp,zh_gsd}-ud-dev.conllu.gz
The first 200 sentences of the dev part in each script (the model was made from the train part; its
weights were chosen by the dev part). UD Chinese GSD and GSDSimp are CC BY-SA 4.0."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../models'))
from make_segment_zh import read_conllu  # noqa: E402

with open(sys.argv[2], 'w', encoding='utf-8') as out:
	print('# UD Chinese GSD dev, CC BY-SA 4.0, made by make_segment.py: words by spaces', file=out)
	for name in ('gsdsimp', 'gsd'):
		print('# ' + name, file=out)
		path = os.path.join(sys.argv[1], 'ud_chinese_gsd/zh_%s-ud-dev.conllu.gz' % name)
		for i, words in enumerate(read_conllu(path)):
			if i < 200:
				print(' '.join(w.replace(' ', '') for w in words), file=out)
