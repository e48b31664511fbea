-- plot.sql --- a picture of words, made by SQL from nlp.project: prints SVG.
--   .server/psql -XAtq -f examples/plot.sql > words.svg      after examples/vectors.sql
WITH groups(colour, words) AS (VALUES
	('#1f77b4', '{paris,london,rome,madrid,berlin,vienna,moscow,tokyo,athens,cairo}'::text[]),
	('#d62728', '{france,england,italy,spain,germany,austria,russia,japan,greece,egypt}'),
	('#2ca02c', '{mathematics,physics,chemistry,biology,philosophy,astronomy}'),
	('#9467bd', '{king,queen,emperor,prince,princess,duke}'),
	('#8c564b', '{river,lake,ocean,sea,island,mountain}')),
word AS (SELECT colour, unnest(words) AS word FROM groups),
place AS (SELECT p.word, w.colour, p.x, p.y FROM nlp.project('wiki', (SELECT array_agg(word) FROM word)) p JOIN word w USING (word)),
frame AS (SELECT min(x) AS x0, max(x) - min(x) AS w, min(y) AS y0, max(y) - min(y) AS h FROM place)
SELECT '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 480" font-family="sans-serif" font-size="12">'
	|| E'\n<rect width="760" height="480" fill="white"/>\n'
	|| string_agg(format('<circle cx="%s" cy="%s" r="3" fill="%s"/><text x="%s" y="%s" fill="%s">%s</text>',
		round((30 + 650 * (x - x0) / w)::numeric, 1), round((455 - 430 * (y - y0) / h)::numeric, 1), colour,
		round((35 + 650 * (x - x0) / w)::numeric, 1), round((459 - 430 * (y - y0) / h)::numeric, 1), colour, word), E'\n' ORDER BY word)
	|| E'\n</svg>'
	FROM place, frame;
