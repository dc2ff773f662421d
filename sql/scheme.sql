/*
 * scheme: the built-in ways to classify customers
 *
 * A scheme is rows: ordered classes, the first whose rule is true applies, and
 * one default.  These rows are copied into every new portfolio, where they
 * belong to its owner.
 */

CREATE FUNCTION segment.builtin_classes() RETURNS TABLE (
	scheme text, class text, class_rank integer, rule text, label text, label_zh text,
	priority integer, service_level text, action text, action_zh text
)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 16
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
SELECT v.* FROM (VALUES
	-- the 5 x 5 recency x frequency grid: 25 cells, each in exactly one class
	('rfm_segment', 'champions', 1, 'r_score = 5 AND f_score >= 4', 'champions', '冠军客户',
	 1, 'premium', 'Reward them, show them new things first, ask for reviews.', '给予奖励，优先体验新品，邀请评价。'),
	('rfm_segment', 'loyal', 2, 'r_score IN (3, 4) AND f_score >= 4', 'loyal', '忠诚客户',
	 2, 'premium', 'Offer a loyalty programme and what goes with past orders.', '邀请加入会员计划，推荐搭配商品。'),
	('rfm_segment', 'potential_loyalist', 3, 'r_score >= 4 AND f_score IN (2, 3)', 'potential loyalist', '潜力忠诚客户',
	 3, 'standard', 'Invite to the loyalty programme, suggest the next purchase.', '引导加入会员，推荐下一次购买。'),
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
	('rfm_segment', 'prospects', 11, NULL, 'prospects', '潜在客户',
	 4, 'basic', 'Win the first order.', '促成首次购买。'),
	-- time since the last purchase in units of the customer's own usual gap
	('dormancy', 'active', 1, 'gap_ratio <= dormancy_drowsy', 'active', '活跃客户',
	 3, 'standard', 'Carry on as usual.', '照常维护。'),
	('dormancy', 'drowsy', 2, 'gap_ratio <= dormancy_half_asleep', 'drowsy', '昏昏欲睡客户',
	 2, 'standard', 'Remind them before they fall asleep.', '在沉睡前提醒。'),
	('dormancy', 'half_asleep', 3, 'gap_ratio <= dormancy_asleep', 'half asleep', '半睡客户',
	 1, 'personal', 'Wake them with a personal offer.', '以个性化优惠唤醒。'),
	('dormancy', 'asleep', 4, 'gap_ratio > dormancy_asleep', 'asleep', '沉睡客户',
	 4, 'basic', 'Try once to win them back, then spend no more.', '尝试挽回一次，之后不再投入。'),
	('dormancy', 'prospects', 5, NULL, 'prospects', '潜在客户',
	 4, 'basic', 'Win the first order.', '促成首次购买。')
) AS v(scheme, class, class_rank, rule, label, label_zh, priority, service_level, action, action_zh);
END;
COMMENT ON FUNCTION segment.builtin_classes() IS
'the classes of the built-in schemes rfm_segment and dormancy; the class without a rule is the default';
