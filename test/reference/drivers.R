# Writes test/reference/drivers.sql: areas under the ROC curve, by the package
# pROC (Robin and others, BMC Bioinformatics 12, 2011), and information values of
# tenths by average ranks, each with half a row more of both kinds.
#
#   Rscript test/reference/drivers.R > test/reference/drivers.sql
suppressMessages(library(pROC))
set.seed(7)

sql <- function(v) sprintf("'{%s}'", paste(ifelse(is.na(v), "NULL", v), collapse = ","))
information <- function(bin, hit) {
	t <- table(factor(bin, exclude = NULL), factor(hit, levels = 0:1)) + 0.5
	q <- t[, 1] / sum(t[, 1])
	p <- t[, 2] / sum(t[, 2])
	sum((p - q) * log(p / q))
}
one <- function(n, levels, p, effect, missing) {
	hit <- as.integer(runif(n) < p)
	value <- floor(rnorm(n, hit * effect) * levels) / levels
	value[runif(n) < missing] <- NA
	known <- !is.na(value)
	bin <- rep(NA, n)
	bin[known] <- floor(10 * (rank(value[known]) - 0.5) / sum(known))
	area <- as.numeric(auc(roc(hit, value, levels = 0:1, direction = "<", quiet = TRUE)))
	sprintf("\t(%s, %s,\n\t\t%s)", sql(value), sql(hit), sql(sprintf("%.15g", c(area, information(bin, hit)))))
}
cases <- mapply(one, c(20, 37, 60, 100, 100, 150), c(1, 2, 64, 1, 8, 64), c(.5, .3, .2, .5, .1, .7),
	c(1, 0.5, -1, 0, 2, 0.3), c(0, .1, .3, 0, .5, .05))
cat("-- Made by drivers.R.\nINSERT INTO drivers_reference (\"values\", hits, expected) VALUES\n")
cat(cases, sep = ",\n")
cat(";\n")
