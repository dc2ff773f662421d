/*
 * builtin_scheme: the ways to classify customers that every portfolio starts with
 *
 * A scheme is rows: ordered classes, of which the first applies whose rule is
 * true, and one default, the class without a rule.  So every customer is in
 * exactly one class of each scheme.  A rule is a condition over the columns of
 * the view customer, the settings, and the scheme's cuts: figures computed
 * over all customers at a refresh and kept in the scorecard, so that a class
 * is a function of the customer's own history and the scorecard.
 *
 * The built-in schemes are copied into every new portfolio, where they belong
 * to its owner.
 */

/*
 * The install script must hold nothing but ASCII, so that it can be run in a
 * database of any encoding: make writes other characters as &#xXXXXXX;
 * (see Makefile), and here they become characters again.
 */
CREATE FUNCTION segment_internal.unescape(escaped text, otherwise text) RETURNS text
LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $unescape$
BEGIN
	RETURN unistr(regexp_replace(escaped, '&#x([0-9A-F]{6});', E'\\\\+\\1', 'g'));
EXCEPTION
	-- the second where the encoding is SQL_ASCII, that is unknown
	WHEN untranslatable_character OR feature_not_supported THEN
		RETURN otherwise;
END
$unescape$;
COMMENT ON FUNCTION segment_internal.unescape(text, text) IS
'a text in which characters are written as &#xXXXXXX;, with their code in Unicode; or the other one, where the encoding of the database lacks one of them (internal)';

CREATE FUNCTION segment_internal.builtin_schemes() RETURNS TABLE (
	scheme text, ordinal integer, label text, label_zh text, meaning text
)
LANGUAGE sql VOLATILE PARALLEL UNSAFE ROWS 12
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT v.scheme, v.ordinal, v.label, segment_internal.unescape(v.label_zh, v.label), v.meaning
FROM (VALUES
	('rfm_segment', 1, 'RFM segments', 'RFM客户细分', 'ten named groups on the 5 x 5 grid of recency and frequency scores'),
	('dormancy', 2, 'dormancy', '沉睡程度', 'time since the last purchase in units of the customer''s own usual gap'),
	('rfm125', 3, 'RFM 125 cells', 'RFM 125格', 'eleven named groups of the 125 cells of recency, frequency and monetary scores'),
	('rfm8', 4, 'RFM eight cells', 'RFM八类', 'above or not above the average of all buyers in recency, frequency and amount'),
	('abcd', 5, 'ABCD pyramid', 'ABCD金字塔', 'top 1 %, next 4 %, next 15 % of the buyers by sales, and the rest; equal sales, equal class'),
	('abc', 6, 'ABC by sales', 'ABC分类', 'those who bring the first 80 %, the next 15 % and the last 5 % of sales'),
	('visit_abc', 7, 'ABC by visits and spend', '按进店次数和消费金额ABC', 'many, middling and few visits crossed with thirds by sales; the setting visit_abc_rule decides where the two differ'),
	('hsbc', 8, 'loyalty and value', '忠诚度与价值', 'A to D by loyalty (frequency score 4 and 5) and value (top two fifths by margin), E inactive, F prospects'),
	('value_class', 9, 'value classes', '客户价值分类', 'most valuable (top fifth by net value), most growable (top fifth by clv; without clv the second fifth by net value, under another name), middle, below zero'),
	('usage_class', 10, 'usage classes', '用量分类', 'heavy, medium and light thirds of the buyers by sales, less what was cancelled at once; and those who buy nothing'),
	('visit_type', 11, 'visit types', '进店类型', 'loyal (to one place, or, where places are not known, in a regular rhythm), flexible, lost'),
	('next_step', 12, 'next step', '对策', 'what to do with the customer now: value and dormancy together, so that one word does not contradict another')
) AS v(scheme, ordinal, label, label_zh, meaning);
END;
COMMENT ON FUNCTION segment_internal.builtin_schemes() IS
'the built-in schemes, with what they are';

/*
 * Cuts and rules of the pyramid abcd, whose classes are shares of the buyers: of all, or
 * of those of the last period.  The setting abcd_by says which measure is taken.
 */
CREATE FUNCTION segment_internal.abcd_rules() RETURNS TABLE (measure text, class text, cut text, query text, meaning text, rule text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 12
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT m.measure, k.class, 'abcd_' || k.class,
	format('(segment.top_cuts(%s, 100) FILTER (WHERE %s > 0))[%s]', m.measure, m.orders, k.percent),
	format('%s of the last of the top %s %% of the buyers%s, their number rounded up', m.meaning, k.percent, m.who),
	format('%s > 0 AND %s >= abcd_%s', m.orders, m.measure, k.class)
FROM (VALUES ('net', 'orders', 'net amount', ''), ('net_value', 'orders', 'net value', ''),
	('period_net', 'period_orders', 'net amount of the last period', ' of the last period'),
	('period_net_value', 'period_orders', 'net value of the last period', ' of the last period')) AS m(measure, orders, meaning, who)
CROSS JOIN (VALUES ('a', 1), ('b', 5), ('c', 20)) AS k(class, percent);
END;
COMMENT ON FUNCTION segment_internal.abcd_rules() IS
'the cuts and rules of the classes a, b and c of the scheme abcd, for each choice of the setting abcd_by (internal)';

/*
 * Each cut is an expression of aggregates over the relation customers: one row
 * per customer, with the columns of the view customer.  They are computed
 * together, in one pass; aggregates with equal arguments are computed once.
 * Cut points of money are amounts of customers, exactly.
 */
CREATE FUNCTION segment_internal.builtin_cuts() RETURNS TABLE (
	scheme text, cut text, query text, meaning text
)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 20
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT v.* FROM (VALUES
	('rfm8', 'rfm8_recency', 'avg(days_since_last)', 'mean days since the last order, of the buyers'),
	('rfm8', 'rfm8_frequency', 'avg(orders) FILTER (WHERE orders > 0)', 'mean number of orders of the buyers'),
	('rfm8', 'rfm8_monetary', 'avg(net) FILTER (WHERE orders > 0)', 'mean net amount of the buyers'),
	('abc', 'abc_a', '(segment.share_cuts(net, 100) FILTER (WHERE orders > 0))[80]',
	 'least net amount of those who bring the first 80 % of sales'),
	('abc', 'abc_b', '(segment.share_cuts(net, 100) FILTER (WHERE orders > 0))[95]',
	 'least net amount of those who bring the first 95 % of sales'),
	('visit_abc', 'visit_many', '(segment.score_cuts(visits, 3) FILTER (WHERE visits > 0))[2]',
	 'more visits than this are many: thirds of the buyers, equal ones together (score_cuts)'),
	('visit_abc', 'visit_middle', '(segment.score_cuts(visits, 3) FILTER (WHERE visits > 0))[1]',
	 'no more visits than this are few'),
	('visit_abc', 'spend_much', '(segment.top_cuts(usage, 3) FILTER (WHERE visits > 0))[1]',
	 'usage of the last of the top third of the buyers'),
	('visit_abc', 'spend_middle', '(segment.top_cuts(usage, 3) FILTER (WHERE visits > 0))[2]',
	 'usage of the last of the top two thirds of the buyers'),
	('hsbc', 'hsbc_value', '(segment.amount_cuts(margin, 5) FILTER (WHERE orders > 0))[3]',
	 'margin of the last of the lower three fifths of the buyers'),
	('value_class', 'value_mvc', '(segment.top_cuts(net_value, 5) FILTER (WHERE orders > 0))[1]',
	 'net value of the last of the top fifth of the buyers'),
	('value_class', 'value_mgc', '(segment.top_cuts(net_value, 5) FILTER (WHERE orders > 0))[2]',
	 'net value of the last of the top two fifths of the buyers: where there is no clv'),
	('value_class', 'value_mgc_clv', '-(segment.quantile_cuts(-clv, 5) FILTER (WHERE orders > 0))[1]',
	 'lifetime value of the last of the top fifth of the buyers'),
	('usage_class', 'usage_heavy', '(segment.top_cuts(usage, 3) FILTER (WHERE visits > 0))[1]',
	 'usage of the last of the top third of the buyers'),
	('usage_class', 'usage_medium', '(segment.top_cuts(usage, 3) FILTER (WHERE visits > 0))[2]',
	 'usage of the last of the top two thirds of the buyers'),
	('next_step', 'step_high', '(segment.score_cuts(net_value::float8, 5) FILTER (WHERE orders > 0))[4]',
	 'a net value above this is of the best fifth of the buyers, equal ones together (score_cuts)')
) AS v(scheme, cut, query, meaning)
UNION ALL
SELECT 'abcd', a.cut, a.query, a.meaning FROM segment_internal.abcd_rules() AS a WHERE a.measure = 'net';
END;
COMMENT ON FUNCTION segment_internal.builtin_cuts() IS
'the figures over all customers that the rules of the built-in schemes refer to';

CREATE FUNCTION segment_internal.builtin_classes() RETURNS TABLE (
	scheme text, class text, class_rank integer, rule text, label text, label_zh text,
	priority integer, service_level text, action text, action_zh text
)
LANGUAGE sql VOLATILE PARALLEL UNSAFE ROWS 110
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT v.scheme, v.class, v.class_rank, coalesce(v.rule, a.rule), v.label, segment_internal.unescape(v.label_zh, v.label),
	v.priority, v.service_level, v.action, segment_internal.unescape(v.action_zh, v.action)
FROM (VALUES
	-- the 5 x 5 recency x frequency grid: 25 cells, each in exactly one class
	('rfm_segment', 'champions', 1, 'r_score = 5 AND f_score >= 4', 'champions', '冠军客户',
	 1, 'premium', 'Reward them, show them new things first, ask for reviews.', '给予奖励，优先体验新品，邀请评价。'),
	('rfm_segment', 'loyal', 2, 'r_score IN (3, 4) AND f_score >= 4', 'loyal', '忠诚客户',
	 2, 'premium', 'Offer a loyalty program and what goes with past orders.', '邀请加入会员计划，推荐搭配商品。'),
	('rfm_segment', 'potential_loyalist', 3, 'r_score >= 4 AND f_score IN (2, 3)', 'potential loyalist', '潜力忠诚客户',
	 3, 'standard', 'Invite to the loyalty program, suggest the next purchase.', '引导加入会员，推荐下一次购买。'),
	('rfm_segment', 'new', 4, 'r_score = 5 AND f_score = 1', 'new', '新客户',
	 3, 'standard', 'Welcome them and help with a good second order.', '欢迎并协助完成第二次购买。'),
	('rfm_segment', 'promising', 5, 'r_score = 4 AND f_score = 1', 'promising', '有希望客户',
	 4, 'standard', 'Stay in touch, offer a small reason to come back.', '保持联系，提供小额回购优惠。'),
	('rfm_segment', 'need_attention', 6, 'r_score = 3 AND f_score = 3', 'need attention', '需关注客户',
	 3, 'standard', 'Make a limited offer based on past orders.', '根据历史订单提供限时优惠。'),
	('rfm_segment', 'about_to_sleep', 7, 'r_score = 3 AND f_score <= 2', 'about to sleep', '即将沉睡客户',
	 4, 'standard', 'Remind them of what they liked, share what is popular.', '提醒其喜好，分享热门商品。'),
	('rfm_segment', 'cannot_lose', 8, 'r_score <= 2 AND f_score = 5', 'cannot lose', '不能流失客户',
	 1, 'personal', 'Call or write in person now; find out why they left.', '立即由专人联系，了解离开原因。'),
	('rfm_segment', 'at_risk', 9, 'r_score <= 2 AND f_score IN (3, 4)', 'at risk', '流失风险客户',
	 2, 'standard', 'Send a personal win-back offer.', '发送个性化挽回优惠。'),
	('rfm_segment', 'hibernating', 10, 'r_score <= 2 AND f_score <= 2', 'hibernating', '休眠客户',
	 5, 'basic', 'Keep contact cheap: a standard offer now and then.', '低成本联系，偶尔发送常规优惠。'),
	('rfm_segment', 'returns_only', 11, 'r_score IS NULL AND refunded > 0', 'returns only', '仅退货客户',
	 4, 'basic', 'Settle the return and find out what went wrong; no offer before that.', '妥善处理退货并了解原因，之前不作推荐。'),
	('rfm_segment', 'prospects', 12, NULL, 'prospects', '潜在客户',
	 4, 'basic', 'Win the first order.', '促成首次购买。'),
	-- the 125 cells of recency, frequency and monetary value, each in exactly one class
	('rfm125', 'champions', 1, 'rfm_cell IN (''555'', ''554'', ''544'', ''545'', ''454'', ''455'', ''445'')', 'champions', '冠军客户',
	 1, 'premium', 'Reward them, show them new things first, ask for reviews.', '给予奖励，优先体验新品，邀请评价。'),
	('rfm125', 'loyal', 2, 'rfm_cell IN (''543'', ''444'', ''435'', ''355'', ''354'', ''345'', ''344'', ''335'')', 'loyal', '忠诚客户',
	 2, 'premium', 'Offer a loyalty program and what goes with past orders.', '邀请加入会员计划，推荐搭配商品。'),
	('rfm125', 'potential_loyalist', 3, 'rfm_cell IN (''553'', ''551'', ''552'', ''541'', ''542'', ''533'', ''532'', ''531'', ''452'', ''451'', ''442'', ''441'', ''431'', ''453'', ''433'', ''432'', ''423'', ''353'', ''352'', ''351'', ''342'', ''341'', ''333'', ''323'')', 'potential loyalist', '潜力忠诚客户',
	 3, 'standard', 'Invite to the loyalty program, suggest the next purchase.', '引导加入会员，推荐下一次购买。'),
	('rfm125', 'new', 4, 'rfm_cell IN (''512'', ''511'', ''422'', ''421'', ''412'', ''411'', ''311'')', 'new', '新客户',
	 3, 'standard', 'Welcome them and help with a good second order.', '欢迎并协助完成第二次购买。'),
	('rfm125', 'promising', 5, 'rfm_cell IN (''525'', ''524'', ''523'', ''522'', ''521'', ''515'', ''514'', ''513'', ''425'', ''424'', ''413'', ''414'', ''415'', ''315'', ''314'', ''313'')', 'promising', '有希望客户',
	 4, 'standard', 'Stay in touch, offer a small reason to come back.', '保持联系，提供小额回购优惠。'),
	('rfm125', 'need_attention', 6, 'rfm_cell IN (''535'', ''534'', ''443'', ''434'', ''343'', ''334'', ''325'', ''324'')', 'need attention', '需关注客户',
	 3, 'standard', 'Make a limited offer based on past orders.', '根据历史订单提供限时优惠。'),
	('rfm125', 'about_to_sleep', 7, 'rfm_cell IN (''331'', ''321'', ''312'', ''221'', ''213'', ''231'', ''241'', ''251'')', 'about to sleep', '即将沉睡客户',
	 4, 'standard', 'Remind them of what they liked, share what is popular.', '提醒其喜好，分享热门商品。'),
	('rfm125', 'at_risk', 8, 'rfm_cell IN (''255'', ''254'', ''245'', ''244'', ''253'', ''252'', ''243'', ''242'', ''235'', ''234'', ''225'', ''224'', ''153'', ''152'', ''145'', ''143'', ''142'', ''135'', ''134'', ''133'', ''125'', ''124'')', 'at risk', '流失风险客户',
	 2, 'standard', 'Send a personal win-back offer.', '发送个性化挽回优惠。'),
	('rfm125', 'cannot_lose', 9, 'rfm_cell IN (''155'', ''154'', ''144'', ''214'', ''215'', ''115'', ''114'', ''113'')', 'cannot lose', '不能流失客户',
	 1, 'personal', 'Call or write in person now; find out why they left.', '立即由专人联系，了解离开原因。'),
	('rfm125', 'hibernating', 10, 'rfm_cell IN (''332'', ''322'', ''233'', ''232'', ''223'', ''222'', ''132'', ''123'', ''122'', ''212'', ''211'')', 'hibernating', '休眠客户',
	 5, 'basic', 'Keep contact cheap: a standard offer now and then.', '低成本联系，偶尔发送常规优惠。'),
	('rfm125', 'lost', 11, 'rfm_cell IN (''111'', ''112'', ''121'', ''131'', ''141'', ''151'')', 'lost', '流失客户',
	 6, 'basic', 'Leave them alone, or try once to win them back.', '不再投入，或仅尝试挽回一次。'),
	('rfm125', 'returns_only', 12, 'r_score IS NULL AND refunded > 0', 'returns only', '仅退货客户',
	 4, 'basic', 'Settle the return and find out what went wrong; no offer before that.', '妥善处理退货并了解原因，之前不作推荐。'),
	('rfm125', 'prospects', 13, NULL, 'prospects', '潜在客户',
	 4, 'basic', 'Win the first order.', '促成首次购买。'),
	-- above or not above the average of the buyers, in recency, frequency and amount
	('rfm8', 'important_value', 1, 'days_since_last < rfm8_recency AND orders > rfm8_frequency AND net > rfm8_monetary', 'important value', '重要价值客户',
	 1, 'premium', 'Keep them close: best service, first access to what is new.', '重点维护：最佳服务，优先体验新品。'),
	('rfm8', 'important_develop', 2, 'days_since_last < rfm8_recency AND orders <= rfm8_frequency AND net > rfm8_monetary', 'important, develop', '重要发展客户',
	 2, 'premium', 'Bring them back more often: reminders, subscriptions.', '提升购买频率：提醒、订阅。'),
	('rfm8', 'important_keep', 3, 'days_since_last >= rfm8_recency AND orders > rfm8_frequency AND net > rfm8_monetary', 'important, keep', '重要保持客户',
	 1, 'personal', 'Contact them in person before they are gone.', '在流失前由专人联系。'),
	('rfm8', 'important_retain', 4, 'days_since_last >= rfm8_recency AND orders <= rfm8_frequency AND net > rfm8_monetary', 'important, win back', '重要挽留客户',
	 2, 'personal', 'Win them back with a personal offer.', '以个性化优惠挽留。'),
	('rfm8', 'general_value', 5, 'days_since_last < rfm8_recency AND orders > rfm8_frequency AND net <= rfm8_monetary', 'general value', '一般价值客户',
	 3, 'standard', 'Raise the order value: bundles, related goods.', '提高客单价：组合、关联商品。'),
	('rfm8', 'general_develop', 6, 'days_since_last < rfm8_recency AND orders <= rfm8_frequency AND net <= rfm8_monetary', 'general, develop', '一般发展客户',
	 4, 'standard', 'Help with a good second order.', '促进再次购买。'),
	('rfm8', 'general_keep', 7, 'days_since_last >= rfm8_recency AND orders > rfm8_frequency AND net <= rfm8_monetary', 'general, keep', '一般保持客户',
	 4, 'standard', 'Remind them, at low cost.', '低成本提醒。'),
	('rfm8', 'general_retain', 8, 'days_since_last >= rfm8_recency AND orders <= rfm8_frequency AND net <= rfm8_monetary', 'general, win back', '一般挽留客户',
	 5, 'basic', 'Spend no more than a standard mailing.', '仅发送常规信息。'),
	('rfm8', 'returns_only', 9, 'refunded > 0', 'returns only', '仅退货客户',
	 4, 'basic', 'Settle the return and find out what went wrong; no offer before that.', '妥善处理退货并了解原因，之前不作推荐。'),
	('rfm8', 'prospects', 10, NULL, 'prospects', '潜在客户',
	 4, 'basic', 'Win the first order.', '促成首次购买。'),
	-- the pyramid by sales: top 1 %, next 4 %, next 15 % of the buyers, and the rest
	('abcd', 'a', 1, NULL, 'A: VIP', 'A类：VIP客户',
	 1, 'personal', 'Named contact, best conditions.', '专属客户经理，最优条件。'),
	('abcd', 'b', 2, NULL, 'B: main', 'B类：主要客户',
	 2, 'premium', 'Regular contact, chances to grow.', '定期联系，促进增长。'),
	('abcd', 'c', 3, NULL, 'C: ordinary', 'C类：普通客户',
	 3, 'standard', 'Good standard service.', '良好的标准服务。'),
	('abcd', 'd', 4, 'orders > 0', 'D: small', 'D类：小客户',
	 4, 'basic', 'Service at low cost.', '低成本服务。'),
	('abcd', 'returns_only', 5, 'refunded > 0', 'returns only', '仅退货客户',
	 4, 'basic', 'Settle the return and find out what went wrong; no offer before that.', '妥善处理退货并了解原因，之前不作推荐。'),
	('abcd', 'prospects', 6, NULL, 'prospects', '潜在客户',
	 4, 'basic', 'Win the first order.', '促成首次购买。'),
	-- cumulative sales: those who bring the first 80 %, the next 15 %, the last 5 %
	('abc', 'a', 1, 'net > 0 AND net >= abc_a', 'A: first 80 % of sales', 'A类：前80%销售额',
	 1, 'premium', 'Look after each of them.', '逐一重点维护。'),
	('abc', 'b', 2, 'net > 0 AND net >= abc_b', 'B: next 15 %', 'B类：其后15%',
	 2, 'standard', 'Develop those with potential.', '培养有潜力者。'),
	('abc', 'c', 3, 'orders > 0', 'C: last 5 %', 'C类：最后5%',
	 3, 'basic', 'Service at low cost.', '低成本服务。'),
	('abc', 'returns_only', 4, 'refunded > 0', 'returns only', '仅退货客户',
	 4, 'basic', 'Settle the return and find out what went wrong; no offer before that.', '妥善处理退货并了解原因，之前不作推荐。'),
	('abc', 'prospects', 5, NULL, 'prospects', '潜在客户',
	 4, 'basic', 'Win the first order.', '促成首次购买。'),
	-- visits x spend, in three groups each; the setting visit_abc_rule decides off the diagonal
	('visit_abc', 'a', 1, 'visits > 0 AND (CASE visit_abc_rule WHEN ''lower'' THEN greatest((CASE WHEN visits > visit_many THEN 1 WHEN visits > visit_middle THEN 2 ELSE 3 END), (CASE WHEN usage >= spend_much THEN 1 WHEN usage >= spend_middle THEN 2 ELSE 3 END)) WHEN ''higher'' THEN least((CASE WHEN visits > visit_many THEN 1 WHEN visits > visit_middle THEN 2 ELSE 3 END), (CASE WHEN usage >= spend_much THEN 1 WHEN usage >= spend_middle THEN 2 ELSE 3 END)) WHEN ''sum'' THEN 2 + sign((CASE WHEN visits > visit_many THEN 1 WHEN visits > visit_middle THEN 2 ELSE 3 END) + (CASE WHEN usage >= spend_much THEN 1 WHEN usage >= spend_middle THEN 2 ELSE 3 END) - 4) END) = 1', 'A: many visits, much spent', 'A类：进店次数多、消费金额高',
	 1, 'premium', 'Best service, invitations.', '最佳服务，邀请活动。'),
	('visit_abc', 'b', 2, 'visits > 0 AND (CASE visit_abc_rule WHEN ''lower'' THEN greatest((CASE WHEN visits > visit_many THEN 1 WHEN visits > visit_middle THEN 2 ELSE 3 END), (CASE WHEN usage >= spend_much THEN 1 WHEN usage >= spend_middle THEN 2 ELSE 3 END)) WHEN ''higher'' THEN least((CASE WHEN visits > visit_many THEN 1 WHEN visits > visit_middle THEN 2 ELSE 3 END), (CASE WHEN usage >= spend_much THEN 1 WHEN usage >= spend_middle THEN 2 ELSE 3 END)) WHEN ''sum'' THEN 2 + sign((CASE WHEN visits > visit_many THEN 1 WHEN visits > visit_middle THEN 2 ELSE 3 END) + (CASE WHEN usage >= spend_much THEN 1 WHEN usage >= spend_middle THEN 2 ELSE 3 END) - 4) END) = 2', 'B: in the middle', 'B类：居中',
	 2, 'standard', 'Encourage the next visit.', '鼓励再次进店。'),
	('visit_abc', 'c', 3, 'visits > 0', 'C: few visits, little spent', 'C类：进店次数少、消费金额低',
	 3, 'basic', 'Standard service.', '标准服务。'),
	('visit_abc', 'returns_only', 4, 'orders > 0 OR refunded > 0', 'returns only', '仅退货客户',
	 4, 'basic', 'Settle the return and find out what went wrong; no offer before that.', '妥善处理退货并了解原因，之前不作推荐。'),
	('visit_abc', 'prospects', 5, NULL, 'prospects', '潜在客户',
	 4, 'basic', 'Win the first order.', '促成首次购买。'),
	-- loyalty x value after HSBC: A to D active, E inactive, F prospects
	('hsbc', 'a', 1, 'gap_ratio <= dormancy_asleep AND f_score >= 4 AND margin > hsbc_value', 'A: loyal, high value', 'A类：顶级（高忠诚度，高价值）',
	 1, 'personal', 'Named contact, keep at any reasonable cost.', '专属服务，全力保留。'),
	('hsbc', 'b', 2, 'gap_ratio <= dormancy_asleep AND f_score < 4 AND margin > hsbc_value', 'B: not loyal, high value', 'B类：大中型（低忠诚度，高价值）',
	 2, 'premium', 'Build loyalty: reasons to come back.', '提升忠诚度。'),
	('hsbc', 'c', 3, 'gap_ratio <= dormancy_asleep AND f_score >= 4 AND margin <= hsbc_value', 'C: loyal, low value', 'C类：大中型（高忠诚度，低价值）',
	 3, 'standard', 'Raise the value: related goods.', '提升价值：关联销售。'),
	('hsbc', 'd', 4, 'gap_ratio <= dormancy_asleep', 'D: not loyal, low value', 'D类：小型（低忠诚度，低价值）',
	 4, 'basic', 'Service at low cost.', '低成本服务。'),
	('hsbc', 'e', 5, 'gap_ratio > dormancy_asleep', 'E: inactive', 'E类：非活跃客户',
	 4, 'basic', 'Try once to wake them.', '尝试唤醒一次。'),
	('hsbc', 'returns_only', 6, 'refunded > 0', 'returns only', '仅退货客户',
	 4, 'basic', 'Settle the return and find out what went wrong; no offer before that.', '妥善处理退货并了解原因，之前不作推荐。'),
	('hsbc', 'f', 7, NULL, 'F: prospects', 'F类：可能客户',
	 5, 'basic', 'Win the first order.', '促成首次购买。'),
	-- most valuable, most growable, middle, and below zero: those who cost more than they bring
	('value_class', 'mvc', 1, 'orders > 0 AND net_value >= 0 AND net_value >= value_mvc', 'MVC: most valuable', 'MVC：最具价值客户',
	 1, 'personal', 'Keep: personal contact, best conditions.', '保留：专人联系，最优条件。'),
	('value_class', 'mgc', 2, 'orders > 0 AND net_value >= 0 AND clv > 0 AND clv >= value_mgc_clv::float8', 'MGC: most growable', 'MGC：最具成长性客户',
	 2, 'premium', 'Grow: develop what they could buy from you.', '培养：挖掘潜在需求。'),
	-- without a forecast of growth nobody is called growable: a rank, and no forecast
	('value_class', 'second', 3, 'orders > 0 AND net_value >= 0 AND clv IS NULL AND net_value >= value_mgc', 'second fifth by value', '价值次高客户',
	 2, 'standard', 'Good service; find out who of them could buy more.', '良好服务；了解其中谁有增长空间。'),
	('value_class', 'middle', 4, 'orders > 0 AND net_value >= 0', 'middle', '中间客户',
	 3, 'standard', 'Good standard service.', '良好的标准服务。'),
	('value_class', 'bz', 5, 'net_value < 0', 'BZ: below zero', 'BZ：低于零点客户',
	 3, 'basic', 'Charge for service, or lower its cost (break-even fee).', '收取服务费或降低服务成本。'),
	('value_class', 'returns_only', 6, 'refunded > 0', 'returns only', '仅退货客户',
	 4, 'basic', 'Settle the return and find out what went wrong; no offer before that.', '妥善处理退货并了解原因，之前不作推荐。'),
	('value_class', 'prospects', 7, NULL, 'prospects', '潜在客户',
	 4, 'basic', 'Win the first order.', '促成首次购买。'),
	-- heavy, medium and light thirds of the buyers by usage, and those who buy nothing
	('usage_class', 'heavy', 1, 'visits > 0 AND usage >= usage_heavy', 'heavy', '高获利客户',
	 1, 'premium', 'Keep: they carry the business.', '保留：业务支柱。'),
	('usage_class', 'medium', 2, 'visits > 0 AND usage >= usage_medium', 'medium', '中获利客户',
	 2, 'standard', 'Find what would make them heavy buyers.', '促使其成为高获利客户。'),
	('usage_class', 'light', 3, 'visits > 0', 'light', '低获利客户',
	 3, 'standard', 'Offer more occasions to buy.', '提供更多购买场景。'),
	('usage_class', 'returns_only', 4, 'orders > 0 OR refunded > 0', 'returns only', '仅退货客户',
	 4, 'basic', 'Settle the return and find out what went wrong; no offer before that.', '妥善处理退货并了解原因，之前不作推荐。'),
	('usage_class', 'none', 5, NULL, 'none', '无获利客户',
	 4, 'basic', 'Win the first order, at a known cost per head.', '以可控成本促成首次购买。'),
	-- how they come: to one place or regularly, as it happens, or no more; an order is a visit, too
	('visit_type', 'loyal', 1, 'least(gap_ratio, visit_gap_ratio) <= dormancy_asleep AND CASE WHEN place_visits > 0 THEN place_visits >= 3 AND main_place_share >= visit_type_share ELSE visits >= 3 AND gap_cv <= visit_type_regular END', 'loyal', '忠诚客户',
	 1, 'premium', 'Never disappoint: keep stock and service steady.', '保持稳定的供应和服务。'),
	('visit_type', 'flexible', 2, 'least(gap_ratio, visit_gap_ratio) <= dormancy_asleep AND (visits > 0 OR visit_gap_ratio IS NOT NULL)', 'flexible', '弹性客户',
	 2, 'standard', 'Be there when they choose: offers in time.', '在其选择时提供及时优惠。'),
	('visit_type', 'lost', 3, 'least(gap_ratio, visit_gap_ratio) > dormancy_asleep AND (visits > 0 OR visit_gap_ratio IS NOT NULL)', 'lost', '流失客户',
	 4, 'basic', 'Ask why; try once to win them back.', '询问原因，尝试挽回一次。'),
	('visit_type', 'returns_only', 4, 'orders > 0 OR refunded > 0', 'returns only', '仅退货客户',
	 4, 'basic', 'Settle the return and find out what went wrong; no offer before that.', '妥善处理退货并了解原因，之前不作推荐。'),
	('visit_type', 'prospects', 5, NULL, 'prospects', '潜在客户',
	 4, 'basic', 'Win the first order.', '促成首次购买。'),
	-- time since the last purchase in units of the customer's own usual gap
	('dormancy', 'active', 1, 'gap_ratio <= dormancy_drowsy', 'active', '活跃客户',
	 3, 'standard', 'Carry on as usual.', '照常维护。'),
	('dormancy', 'drowsy', 2, 'gap_ratio <= dormancy_half_asleep', 'drowsy', '瞌睡客户',
	 2, 'standard', 'Remind them before they fall asleep.', '在沉睡前提醒。'),
	('dormancy', 'half_asleep', 3, 'gap_ratio <= dormancy_asleep', 'half asleep', '半睡客户',
	 1, 'personal', 'Wake them with a personal offer.', '以个性化优惠唤醒。'),
	('dormancy', 'asleep', 4, 'gap_ratio > dormancy_asleep', 'asleep', '沉睡客户',
	 4, 'basic', 'Try once to win them back, then spend no more.', '尝试挽回一次，之后不再投入。'),
	('dormancy', 'returns_only', 5, 'refunded > 0', 'returns only', '仅退货客户',
	 4, 'basic', 'Settle the return and find out what went wrong; no offer before that.', '妥善处理退货并了解原因，之前不作推荐。'),
	('dormancy', 'prospects', 6, NULL, 'prospects', '潜在客户',
	 4, 'basic', 'Win the first order.', '促成首次购买。'),
	-- what to do now: value decides between those who are equally far away, and nobody
	-- who is asleep, or costs more than he brings, gets an offer to grow.  High value is
	-- the best fifth by net value or by sales; who has returned everything is not lured
	('next_step', 'best', 1, 'gap_ratio <= dormancy_drowsy AND net > 0 AND net_value >= 0 AND (net_value::float8 > step_high::float8 OR m_score = 5)', 'best customers', '最佳客户',
	 1, 'premium', 'Reward them, show them new things first, ask for reviews.', '给予奖励，优先体验新品，邀请评价。'),
	('next_step', 'keep_best', 2, 'gap_ratio <= dormancy_asleep AND net > 0 AND net_value >= 0 AND (net_value::float8 > step_high::float8 OR m_score = 5)', 'best customers, drowsy', '瞌睡的最佳客户',
	 1, 'personal', 'Call or write in person now, before they are gone.', '在流失前立即由专人联系。'),
	('next_step', 'regular', 3, 'gap_ratio <= dormancy_drowsy AND visits >= 3 AND net_value >= 0 AND (net > 0 OR refunded = 0)', 'regulars', '常客',
	 2, 'standard', 'Offer a loyalty program and what goes with past orders.', '邀请加入会员计划，推荐搭配商品。'),
	('next_step', 'developing', 4, 'gap_ratio <= dormancy_drowsy AND visits = 2 AND net_value >= 0 AND (net > 0 OR refunded = 0)', 'bought twice', '购买两次客户',
	 3, 'standard', 'Suggest the next purchase.', '推荐下一次购买。'),
	('next_step', 'new', 5, 'gap_ratio <= dormancy_drowsy AND net_value >= 0 AND (net > 0 OR refunded = 0)', 'bought once', '购买一次客户',
	 3, 'standard', 'Thank them and help with a good second order.', '感谢购买并协助完成第二次购买。'),
	('next_step', 'drowsy', 6, 'gap_ratio <= dormancy_half_asleep AND net_value >= 0 AND (net > 0 OR refunded = 0)', 'drowsy', '瞌睡客户',
	 3, 'standard', 'Remind them before they fall asleep.', '在沉睡前提醒。'),
	('next_step', 'half_asleep', 7, 'gap_ratio <= dormancy_asleep AND net_value >= 0 AND (net > 0 OR refunded = 0)', 'half asleep', '半睡客户',
	 3, 'standard', 'Wake them with a win-back offer.', '以挽回优惠唤醒。'),
	('next_step', 'win_back', 8, 'gap_ratio > dormancy_asleep AND net > 0 AND net_value >= 0 AND (net_value::float8 > step_high::float8 OR m_score = 5)', 'best customers, asleep', '沉睡的最佳客户',
	 2, 'personal', 'Ask once in person why they left and what would bring them back; then spend no more.', '由专人询问一次离开原因及回归条件，之后不再投入。'),
	('next_step', 'asleep', 9, 'gap_ratio > dormancy_asleep AND net_value >= 0 AND (net > 0 OR refunded = 0)', 'asleep', '沉睡客户',
	 5, 'basic', 'Keep contact cheap: a standard offer now and then.', '低成本联系，偶尔发送常规优惠。'),
	('next_step', 'below_zero', 10, 'orders > 0 AND net_value < 0 AND (net > 0 OR refunded = 0)', 'below zero', '低于零点客户',
	 4, 'basic', 'Lower what serving them costs, or charge for it; no offers.', '降低服务成本或收取服务费，不作优惠。'),
	('next_step', 'returns_only', 11, 'orders > 0 OR refunded > 0', 'returned everything', '全部退货客户',
	 4, 'basic', 'Settle the return and find out what went wrong; no offer before that.', '妥善处理退货并了解原因，之前不作推荐。'),
	('next_step', 'prospects', 12, NULL, 'prospects', '潜在客户',
	 4, 'basic', 'Win the first order.', '促成首次购买。')
) AS v(scheme, class, class_rank, rule, label, label_zh, priority, service_level, action, action_zh)
-- see abcd_rules
LEFT JOIN segment_internal.abcd_rules() AS a ON v.scheme = 'abcd' AND a.measure = 'net' AND a.class = v.class;
END;
COMMENT ON FUNCTION segment_internal.builtin_classes() IS
'the classes of the built-in schemes, with rules, labels and actions; the class without a rule is the default';
