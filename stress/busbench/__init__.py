"""The bus under load as the product uses it: two servers, publishers and subscribers in processes of their own.

Every message carries a sequence number and is counted on both sides.
"""
