CREATE VIEW segment_internal.quality_check AS
SELECT s.source, q.check_name, q.meaning
FROM (VALUES
	('null_customer', 'rows without a customer: counted in no customer''s figures', '{purchases,customers,costs,complaints,satisfaction,visits,contacts,lines}'::text[]),
	('null_date', 'other rows without a date: counted in no customer''s figures', '{purchases,costs,complaints,satisfaction,visits,contacts,lines}'),
	('null_amount', 'other rows without an amount: counted in no customer''s figures', '{purchases,costs,satisfaction,lines}'),
	('null_margin', 'other rows without a margin, where the query has that column: their margin counts as 0', '{purchases,lines}'),
	('zero_amount', 'rows with the amount 0: counted as orders', '{purchases}'),
	('duplicate', 'rows that repeat customer, time and amount of another: counted all the same', '{purchases,costs,complaints,satisfaction,visits,contacts,lines}'),
	('duplicate_customer', 'rows that name a customer again: one of them, by its text, is kept', '{customers}'),
	('future_date', 'events dated after the day of the refresh: not counted until that day', '{purchases,costs,complaints,satisfaction,visits,contacts,lines}'),
	('old_date', 'events dated before the setting oldest_day: counted all the same', '{purchases,costs,complaints,satisfaction,visits,contacts,lines}'),
	('refund_without_purchase', 'refunds of customers who have no order', '{purchases}'),
	('cancelled_same_day', 'orders that were refunded on the same day: counted as orders, but not in visits and usage unless the setting cancel_same_day is off; on a day with several, as many as were refunded', '{purchases}'),
	('unusual_amount', 'orders on days whose mean order is further than outlier_mads median absolute deviations from the median, in logarithms: counted all the same', '{purchases}'),
	('anonymous_customer', 'rows of keys that are empty or in the setting anonymous_keys: counted as one customer each', '{purchases,customers,costs,complaints,satisfaction,visits,contacts,lines}'),
	('similar_customer', 'rows of keys that differ from another one in case or blanks only: counted as different customers', '{purchases,customers,costs,complaints,satisfaction,visits,contacts,lines}'),
	('unknown_customer', 'rows of customers who are neither in purchases nor in customers: they count as customers without an order', '{costs,complaints,satisfaction}'),
	('unknown_customer', 'rows of customers whom no other source names: counted in no customer''s figures until one does', '{visits,contacts,lines}'),
	('null_place', 'visits without a place: counted as visits, but to no place', '{visits}'),
	('null_category', 'lines without a category: counted in sales, but in no category', '{lines}')
) AS q(check_name, meaning, sources)
CROSS JOIN LATERAL unnest(q.sources) AS s(source);
COMMENT ON VIEW segment_internal.quality_check IS 'the checks of source data that data_quality of a portfolio reports';
COMMENT ON COLUMN segment_internal.quality_check.source IS 'source query the check applies to';
COMMENT ON COLUMN segment_internal.quality_check.check_name IS 'name of the check';
COMMENT ON COLUMN segment_internal.quality_check.meaning IS 'what is counted, and what becomes of it';
GRANT SELECT ON segment_internal.quality_check TO PUBLIC;
